import { useEffect, useRef, useState } from "preact/hooks";
import { useRights } from "../../data/session.tsx";
import { ConnectionNotice } from "./connection-line.tsx";
import { Detail } from "./detail.tsx";
import { exampleTopic } from "./lead.ts";
import { Panel } from "./panel.tsx";
import { StreamView } from "./stream-view.tsx";
import type { TailMessage } from "./tail.ts";
import type { TopicNode } from "./topic-tree.ts";
import { TreeView } from "./tree-view.tsx";
import { useLiveQuery } from "./use-live-query.ts";
import type { TailHandle } from "./use-tail.ts";

const NARROW = "(max-width: 720px)";
/** Topics that the forms offer. */
const MAX_TOPICS = 100;

/** The tree of topics, the stream, and below it a message or the console. */
export function StreamTab({ handle, filters }: { handle: TailHandle; filters: readonly string[] }) {
  const { can } = useRights();
  const { query, addressOf, go } = useLiveQuery();
  const [selected, setSelected] = useState<TailMessage>();
  const below = useRef<HTMLDivElement>(null);
  const { tail } = handle;
  useEffect(() => {
    setSelected(undefined);
    tail.watch(undefined);
  }, [tail]);
  const select = (message: TailMessage) => {
    tail.watch(message.topic);
    setSelected(message);
    if (query.panel !== "message") go({ panel: "message", to: undefined });
    if (matchMedia(NARROW).matches) below.current?.scrollIntoView();
  };
  return (
    <>
      <ConnectionNotice handle={handle} />
      <div class="live-parts">
        <TreeView handle={handle} branch={query.branch} addressOf={(branch) => addressOf({ branch })} />
        <div class="section">
          <Stream handle={handle} filters={filters} selected={selected?.number} onSelect={select} />
          <div ref={below}>
            <Panel
              panels={can("publish") ? ["message", "publish", "ask"] : ["message"]}
              topics={leavesOf(tail.tree.root, [])}
            >
              {selected ? (
                <Detail handle={handle} message={selected} onSelect={select} />
              ) : (
                <p class="quiet">Select a message to see its payload, its changes and its history.</p>
              )}
            </Panel>
          </div>
        </div>
      </div>
    </>
  );
}

interface StreamProps {
  handle: TailHandle;
  filters: readonly string[];
  selected: number | undefined;
  onSelect: (message: TailMessage) => void;
}

function Stream({ handle, filters, selected, onSelect }: StreamProps) {
  const { can, publish } = useRights();
  const { addressOf } = useLiveQuery();
  handle.version.value;
  const { branch, messages, connection } = handle.tail;
  if (messages.length > 0) {
    // Another branch begins at its newest message.
    return <StreamView key={branch} handle={handle} selected={selected} onSelect={onSelect} />;
  }
  if (connection.state === "failed") return null;
  return (
    <div class="empty">
      <p>
        No message yet {branch === undefined ? "on" : "below"} <code>{branch ?? filters.join(", ")}</code>. Messages
        appear here as they arrive; earlier ones are not shown.
      </p>
      {can("publish") && publish.length > 0 && (
        <a class="button" href={addressOf({ panel: "publish", to: branch ?? exampleTopic(filters[0]) })}>
          Publish one
        </a>
      )}
    </div>
  );
}

/** The first topics of the tree that have a value. */
function leavesOf(node: TopicNode, topics: string[]): string[] {
  for (const child of node.children.values()) {
    if (topics.length >= MAX_TOPICS) break;
    if (child.last !== undefined) topics.push(child.path);
    leavesOf(child, topics);
  }
  return topics;
}
