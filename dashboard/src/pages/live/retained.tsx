import { useState } from "preact/hooks";
import { Dialog } from "../../components/dialog.tsx";
import { Field } from "../../components/field.tsx";
import { Loaded } from "../../components/loaded.tsx";
import { causeway } from "../../data/causeway.ts";
import { countOf, formatBytes } from "../../data/format.ts";
import { useData } from "../../data/query.ts";
import { useRights } from "../../data/session.tsx";
import { RetainedTopicView } from "./retained-topic.tsx";
import { useLiveQuery } from "./use-live-query.ts";

const PAGE = 100;

/** The retained messages under a filter. */
export function Retained({ filters }: { filters: readonly string[] }) {
  const { can } = useRights();
  const { addressOf } = useLiveQuery();
  const [wanted, setWanted] = useState(filters[0] ?? "#");
  const [limit, setLimit] = useState(PAGE);
  const [open, setOpen] = useState<string>();
  const filter = filters.includes(wanted) ? wanted : filters[0]!;
  // Each page asks the broker for all topics: one read of as many as are shown.
  const list = useData(["retained", filter, limit], async (options) => {
    const items = [];
    const page = { truncated: false, more: false };
    for await (const { items: some, truncated, nextCursor } of causeway.topics
      .list({ filter, limit: PAGE }, options)
      .pages()) {
      items.push(...some);
      page.truncated = truncated;
      page.more = nextCursor !== null;
      if (items.length >= limit) break;
    }
    return { items, ...page };
  });
  return (
    <div class="section">
      {filters.length > 1 && (
        <Field label="Filter">
          {(props) => (
            <select {...props} value={filter} onChange={({ currentTarget }) => setWanted(currentTarget.value)}>
              {filters.map((one) => (
                <option key={one} value={one}>
                  {one}
                </option>
              ))}
            </select>
          )}
        </Field>
      )}
      <Loaded of={list} failure="The retained messages could not be read">
        {({ items, truncated, more }) =>
          items.length === 0 ? (
            <div class="empty">
              <p>
                The broker holds no retained message under <code>{filter}</code>.
              </p>
              {can("publish") && (
                <a class="button" href={addressOf({ tab: "stream", panel: "publish" })}>
                  Publish one with retain
                </a>
              )}
            </div>
          ) : (
            <>
              <p aria-live="polite">
                {countOf(items.length, "retained message")}
                {more ? " and more" : ""} under <code>{filter}</code>
                {truncated && ". The broker holds more topics than the bridge collects: use a narrower filter"}
              </p>
              <Table items={items} onOpen={setOpen} />
              {more && (
                <div>
                  <button type="button" class="button" onClick={() => setLimit(limit + PAGE)}>
                    Load more
                  </button>
                </div>
              )}
            </>
          )
        }
      </Loaded>
      {open !== undefined && (
        <Dialog title={open} side onClose={() => setOpen(undefined)}>
          <RetainedTopicView topic={open} onCleared={() => setOpen(undefined)} />
        </Dialog>
      )}
    </div>
  );
}

interface Item {
  topic: string;
  qos: number;
  payloadSize: number;
  contentType?: string;
}

function Table({ items, onOpen }: { items: readonly Item[]; onOpen: (topic: string) => void }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
    <section class="table-wrap" tabIndex={0} aria-label="Retained messages">
      <table class="table">
        <thead>
          <tr>
            <th scope="col">Topic</th>
            <th scope="col" class="number">
              Size
            </th>
            <th scope="col">Content type</th>
            <th scope="col">QoS</th>
          </tr>
        </thead>
        <tbody>
          {items.map(({ topic, payloadSize, contentType, qos }) => (
            <tr key={topic}>
              <td>
                <button type="button" class="topic-button mono" data-row onClick={() => onOpen(topic)}>
                  {topic}
                </button>
              </td>
              <td class="number">{formatBytes(payloadSize)}</td>
              <td>{contentType ?? "–"}</td>
              <td>{qos}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
