import type { Delivery } from "causeway-mqtt/client";
import { useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import { Loaded } from "../../components/loaded.tsx";
import { More } from "../../components/more.tsx";
import { Page } from "../../components/page.tsx";
import { pathTo } from "../../data/address.ts";
import { causeway } from "../../data/causeway.ts";
import { EVERY, useData, useList } from "../../data/query.ts";
import { useRights } from "../../data/session.tsx";
import { useWebhooks } from "../../data/webhook-names.ts";
import { Empty } from "./empty.tsx";
import { FilterBar, FindById } from "./filter-bar.tsx";
import { addressQuery, apiQuery, type Filters, filtersOf, leadOf } from "./filters.ts";
import { DeliveryPanel } from "./panel.tsx";
import { RetryAll } from "./retry-all.tsx";
import { DeliveryTable, openId } from "./table.tsx";
import "./deliveries.css";

const PAGE = 50;
/** More rows are read again on request only: each page is a call. */
const MAX_REFRESHED = 200;
const COUNT_PAGE = 250;
const MAX_COUNT_CALLS = 4;

export default function Deliveries() {
  const { query, route } = useLocation();
  const { can } = useRights();
  const filters = filtersOf(query);
  const webhooks = useWebhooks();
  const open = query.open ?? "";
  const [isPaused, setPaused] = useState(false);
  const [isRetryAll, setRetryAll] = useState(false);
  const [rows, setRows] = useState(0);
  const isHeld = open !== "" || isRetryAll || rows > MAX_REFRESHED;
  const isQuiet = isPaused || isHeld;
  const every = (everyMs: number) => (isQuiet ? {} : { everyMs });
  const list = useList(
    ["deliveries", "list", filters],
    (after, options) =>
      causeway.deliveries
        .list({ ...apiQuery(filters, Date.now()), limit: PAGE, ...(after && { after }) }, options)
        .page(),
    every(EVERY.few),
  );
  if ((list.items?.length ?? 0) !== rows) setRows(list.items?.length ?? 0);
  const failed = useFailed(filters, every(2 * EVERY.few));
  const change = (to: Partial<Filters>) => route(pathTo("deliveries", addressQuery({ ...filters, ...to })), true);
  const pathOf = (delivery?: Delivery) =>
    pathTo("deliveries", { ...addressQuery(filters), ...(delivery && { open: openId(delivery) }) });
  const { status } = filters;
  const [webhookId, messageId] = open.split(".");
  return (
    <Page
      title="Deliveries"
      lead={failed.data ? leadOf(failed.data.count, failed.data.isMore, filters) : !failed.error && "Counting."}
      actions={<FindById />}
    >
      <FilterBar filters={filters} webhooks={webhooks} onChange={change} />
      <Loaded of={{ ...list, data: list.items }} failure="The deliveries could not be read">
        {(items) =>
          items.length === 0 && !list.hasMore ? (
            <Empty filters={filters} />
          ) : (
            <>
              <div class="section-head">
                <Refresh isHeld={isHeld} isPaused={isPaused} onPause={setPaused} onRefresh={list.refetch} />
                {can("webhooks") && (status === "failed" || status === "succeeded") && (
                  <button type="button" class="button" onClick={() => setRetryAll(true)}>
                    {status === "failed" ? retryWords(failed.data) : "Deliver all again"}
                  </button>
                )}
              </div>
              <DeliveryTable deliveries={items} webhooks={webhooks} open={open} pathOf={pathOf} />
              <More list={list} />
            </>
          )
        }
      </Loaded>
      {webhookId && messageId && (
        <DeliveryPanel
          key={open}
          webhookId={webhookId}
          messageId={messageId}
          webhooks={webhooks}
          onClose={() => route(pathOf())}
        />
      )}
      {isRetryAll && (status === "failed" || status === "succeeded") && (
        <RetryAll filters={{ ...filters, status }} webhooks={webhooks} onClose={() => setRetryAll(false)} />
      )}
    </Page>
  );
}

interface Failed {
  count: number;
  /** Whether there are more than were counted. */
  isMore: boolean;
}

/** Counts the dead letters of the filters by listing them, since no call counts across webhooks. */
function useFailed(filters: Filters, every: { everyMs?: number }) {
  const { webhookId, topic, range, since, until } = filters;
  return useData<Failed>(
    ["deliveries", "failed", webhookId, topic, range, since, until],
    async (options) => {
      const query = { ...apiQuery({ ...filters, status: "failed" }, Date.now()), limit: COUNT_PAGE };
      let count = 0;
      let calls = 0;
      for await (const { items, nextCursor } of causeway.deliveries.list(query, options).pages()) {
        count += items.length;
        if (nextCursor !== null && ++calls === MAX_COUNT_CALLS) return { count, isMore: true };
      }
      return { count, isMore: false };
    },
    every,
  );
}

function retryWords(failed: Failed | undefined): string {
  return failed && !failed.isMore ? `Retry all ${failed.count.toLocaleString("en")}` : "Retry all";
}

interface RefreshProps {
  /** Whether the list stays as it is, paused or not. */
  isHeld: boolean;
  isPaused: boolean;
  onPause: (isPaused: boolean) => void;
  onRefresh: () => void;
}

function Refresh({ isHeld, isPaused, onPause, onRefresh }: RefreshProps) {
  return (
    <div class="row">
      <button type="button" class="button" onClick={onRefresh}>
        Refresh
      </button>
      {!isHeld && (
        <button type="button" class="button plain" onClick={() => onPause(!isPaused)}>
          {isPaused ? "Resume" : "Pause"}
        </button>
      )}
      <span class="small quiet">{isHeld || isPaused ? "Not refreshed by itself." : "Refreshed every 5 s."}</span>
    </div>
  );
}
