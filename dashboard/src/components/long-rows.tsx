/**
 * The rows of a table that scrolls with the page or within its frame. If there are many, only those near the window are
 * rendered.
 */
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { type RowRange, rowsNear } from "./row-range.ts";
import { Spacer } from "./spacer.tsx";

/** More rows than this are not rendered all at once. A table that has them needs the class `long`. */
const MOST_ROWS = 100;

export const isLong = (count: number) => count > MOST_ROWS;

interface LongRowsProps {
  count: number;
  columns: number;
  /** @param ariaIndex for `aria-rowindex`; undefined if all rows are rendered */
  row: (index: number, ariaIndex: number | undefined) => ComponentChildren;
}

export function LongRows({ count, columns, row }: LongRowsProps) {
  const ref = useRef<HTMLTableSectionElement>(null);
  const isPart = isLong(count);
  const near = useRowsNear(ref, isPart ? count : 0);
  const from = isPart ? near.from : 0;
  const to = isPart ? near.to : count;
  return (
    <tbody ref={ref}>
      <Spacer height={from * near.height} columns={columns} />
      {Array.from({ length: to - from }, (_, i) => row(from + i, isPart ? from + i + 2 : undefined))}
      <Spacer height={(count - to) * near.height} columns={columns} />
    </tbody>
  );
}

/** @param count 0: nothing is measured */
function useRowsNear(ref: { current: HTMLTableSectionElement | null }, count: number): RowRange & { height: number } {
  const [{ top, size }, setPlace] = useState({ top: 0, size: innerHeight });
  const [height, setHeight] = useState(40);
  useEffect(() => {
    if (count === 0) return;
    const place = () => setPlace({ top: ref.current!.getBoundingClientRect().top, size: innerHeight });
    const measure = () => {
      const rows = [...ref.current!.querySelectorAll<HTMLElement>("tr:not(.spacer)")];
      setHeight(rows.reduce((sum, { offsetHeight }) => sum + offsetHeight, 0) / Math.max(1, rows.length) || 40);
      place();
    };
    measure();
    // Scrolling of a frame does not bubble.
    const options = { passive: true, capture: true };
    addEventListener("scroll", place, options);
    addEventListener("resize", measure);
    return () => {
      removeEventListener("scroll", place, options);
      removeEventListener("resize", measure);
    };
  }, [count]);
  return { ...rowsNear({ count, height, top, size }), height };
}
