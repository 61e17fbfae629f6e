import { Page } from "../../components/page.tsx";
import { useRights } from "../../data/session.tsx";
import { ConnectionMark } from "./connection-line.tsx";
import { FilterForm } from "./filter-form.tsx";
import { leadOf } from "./lead.ts";
import { Panel } from "./panel.tsx";
import { Retained } from "./retained.tsx";
import { StreamTab } from "./stream-tab.tsx";
import { MAX_MESSAGES } from "./tail.ts";
import { useLiveQuery } from "./use-live-query.ts";
import { type TailHandle, useTail } from "./use-tail.ts";
import "./live.css";

export default function Live() {
  const { can } = useRights();
  return can("read") ? <LiveMessages /> : <PublishOnly />;
}

function LiveMessages() {
  const { read } = useRights();
  const { query, addressOf, go } = useLiveQuery();
  const filters = query.topics.length > 0 ? query.topics : read;
  const handle = useTail(filters);
  handle.tail.setBranch(query.branch);
  const tabs = [
    ["stream", "Stream"],
    ["retained", "Retained messages"],
  ] as const;
  return (
    <Page
      title="Live"
      lead={<Lead handle={handle} filters={filters} branch={query.branch} />}
      actions={query.tab === "stream" && <Controls handle={handle} />}
    >
      <FilterForm key={filters.join()} filters={filters} onSubmit={(topics) => go({ topics, branch: undefined })} />
      <nav class="tabs" aria-label="Live">
        {tabs.map(([tab, word]) => (
          <a key={tab} href={addressOf({ tab })} aria-current={tab === query.tab ? "page" : undefined}>
            {word}
          </a>
        ))}
      </nav>
      {query.tab === "stream" ? <StreamTab handle={handle} filters={filters} /> : <Retained filters={filters} />}
    </Page>
  );
}

interface LeadProps {
  handle: TailHandle;
  filters: readonly string[];
  branch: string | undefined;
}

function Lead({ handle: { tail, version }, filters, branch }: LeadProps) {
  version.value;
  const shown = Math.min(tail.messages.length, MAX_MESSAGES);
  // Figures that change every second are not for screen readers to announce.
  return <span aria-live="off">{leadOf({ rate: tail.rate, filters, branch, shown, total: tail.total })}</span>;
}

function Controls({ handle }: { handle: TailHandle }) {
  const { tail, version } = handle;
  version.value;
  return (
    <>
      <ConnectionMark handle={handle} />
      <button type="button" class="button" onClick={() => tail.setPaused(!tail.isPaused)}>
        {tail.isPaused ? "Start" : "Pause"}
      </button>
      <button type="button" class="button" onClick={() => tail.clear()}>
        Clear
      </button>
    </>
  );
}

/** The page of a key that may not read. */
function PublishOnly() {
  const { publish } = useRights();
  return (
    <Page title="Live" lead={`This key may publish to ${publish.join(", ") || "no topic"}.`}>
      <Panel panels={["publish", "ask"]} topics={[]} />
    </Page>
  );
}
