import { useCallback, useState } from "preact/hooks";
import { Spacer } from "../../components/spacer.tsx";
import { formatCount, formatRate } from "../../data/format.ts";
import { isUnfolded, type TopicNode } from "./topic-tree.ts";
import type { TailHandle } from "./use-tail.ts";
import { useWindow } from "./use-window.ts";

const ROW_HEIGHT = 44;

interface TreeViewProps {
  handle: TailHandle;
  branch: string | undefined;
  /** The address of the page with the stream restricted to a branch; of the whole stream without one. */
  addressOf: (branch: string | undefined) => string;
}

/** The topics with their counts, rates and last values. A link restricts the stream to its branch. */
export function TreeView({ handle: { tail, version }, branch, addressOf }: TreeViewProps) {
  version.value;
  const [toggled, setToggled] = useState<ReadonlySet<string>>(new Set());
  const rows = tail.tree.rows(toggled);
  const view = useWindow(rows.length, ROW_HEIGHT);
  const toggle = useCallback((path: string) => {
    setToggled((old) => {
      const next = new Set(old);
      if (!next.delete(path)) next.add(path);
      return next;
    });
  }, []);
  return (
    <div class="section">
      <div class="section-head">
        <h2>Topics</h2>
        {branch !== undefined && <a href={addressOf(undefined)}>All topics</a>}
      </div>
      {tail.tree.leftOut > 0 && (
        <p class="small quiet">
          {formatCount(tail.tree.leftOut)} messages are on topics beyond the first {formatCount(tail.tree.size)}, which
          the tree leaves out. Use a narrower filter.
        </p>
      )}
      <section
        ref={view.ref}
        class="table-wrap live-tree"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
        tabIndex={0}
        aria-label="Topics"
        onScroll={view.onScroll}
      >
        <table class="table" aria-rowcount={rows.length + 1}>
          <thead>
            <tr>
              <th scope="col">Topic and last value</th>
              <th scope="col" class="number count">
                Messages
              </th>
            </tr>
          </thead>
          <tbody>
            <Spacer height={view.above} columns={2} />
            {rows.slice(view.from, view.to).map((node, i) => (
              <Row
                key={node.path}
                path={node.path}
                level={node.level}
                depth={node.depth}
                hasChildren={node.children.size > 0}
                count={node.count}
                rate={node.rate}
                last={node.last}
                index={view.from + i + 2}
                isOpen={isUnfolded(node, toggled)}
                isBranch={node.path === branch}
                href={addressOf(node.path === branch ? undefined : node.path)}
                onToggle={toggle}
              />
            ))}
            <Spacer height={view.below} columns={2} />
          </tbody>
        </table>
      </section>
    </div>
  );
}

/** Values instead of the node, which changes in place: a row is drawn again when one of them differs. */
interface RowProps extends Pick<TopicNode, "path" | "level" | "depth" | "count" | "rate" | "last"> {
  hasChildren: boolean;
  index: number;
  isOpen: boolean;
  isBranch: boolean;
  href: string;
  onToggle: (path: string) => void;
}

const INDENT = 14;
const MAX_INDENT = 8;

function Row({ path, level, depth, hasChildren, count, rate, last, ...row }: RowProps) {
  const { index, isOpen, isBranch, href, onToggle } = row;
  return (
    <tr aria-rowindex={index} aria-selected={isBranch}>
      <td style={{ paddingLeft: `${8 + Math.min(depth, MAX_INDENT) * INDENT}px` }}>
        <div class="tree-topic">
          {hasChildren ? (
            <button
              type="button"
              class="fold"
              aria-expanded={isOpen}
              aria-label={`Topics below ${path}`}
              onClick={() => onToggle(path)}
            >
              {isOpen ? "−" : "+"}
            </button>
          ) : (
            <span class="fold" />
          )}
          <a class="mono" href={href} title={path} aria-current={isBranch ? "true" : undefined}>
            {level === "" ? "(empty)" : level}
          </a>
        </div>
        {last !== undefined && (
          <div class="last mono small quiet" title={last}>
            {last === "" ? "(empty)" : last}
          </div>
        )}
      </td>
      <td class="number">
        <div>{formatCount(count)}</div>
        <div class="small quiet">{formatRate(rate)}</div>
      </td>
    </tr>
  );
}
