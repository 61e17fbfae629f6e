/** The rows of a long table that are visible: only they are rendered. */
import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

const MARGIN = 6;

export interface Window {
  ref: RefObject<HTMLElement>;
  onScroll(): void;
  /** The first row to render, and the one after the last. */
  from: number;
  to: number;
  /** Heights of the rows that are not rendered, in pixels. */
  above: number;
  below: number;
  isAtTop: boolean;
}

/** @param rowHeight in pixels, the same for every row */
export function useWindow(count: number, rowHeight: number): Window {
  const ref = useRef<HTMLElement>(null);
  const [{ top, height }, setView] = useState({ top: 0, height: 400 });
  const measure = () => {
    if (ref.current) setView({ top: ref.current.scrollTop, height: ref.current.clientHeight });
  };
  useEffect(() => {
    measure();
    addEventListener("resize", measure);
    return () => removeEventListener("resize", measure);
  }, []);
  const from = Math.max(0, Math.min(Math.floor(top / rowHeight) - MARGIN, count - 1));
  const to = Math.min(count, Math.ceil((top + height) / rowHeight) + MARGIN);
  return {
    ref,
    onScroll: measure,
    from,
    to,
    above: from * rowHeight,
    below: Math.max(0, count - to) * rowHeight,
    isAtTop: top < rowHeight / 2,
  };
}
