import { isCausewayError, type Webhook } from "causeway-mqtt/client";
import { useRef } from "preact/hooks";
import { useLocation } from "preact-iso";
import { Loaded } from "../../components/loaded.tsx";
import { More } from "../../components/more.tsx";
import { Page } from "../../components/page.tsx";
import { pathTo } from "../../data/address.ts";
import { causeway } from "../../data/causeway.ts";
import { formatCount } from "../../data/format.ts";
import { EVERY, useList } from "../../data/query.ts";
import { useRights } from "../../data/session.tsx";
import { useUnhealthy } from "../overview/use-attention.ts";
import { useStatus } from "../overview/use-status.ts";
import { ListFilters } from "./list-filters.tsx";
import { countLead, filtersOf, isFiltered, type ListQuery, listQueryOf, parametersOf } from "./list-query.ts";
import { NoWebhooks } from "./no-webhooks.tsx";
import { WebhookTable } from "./webhook-table.tsx";
import "./webhook-list.css";

const PAGE = 50;

/** Reads the loaded pages again, the more rarely the more there are. */
function useWebhooks(query: ListQuery) {
  const filters = filtersOf(query);
  const pages = useRef(1);
  const list = useList<Webhook>(
    ["webhooks", "list", filters],
    (after, options) => causeway.webhooks.list({ ...filters, limit: PAGE, ...(after && { after }) }, options).page(),
    { everyMs: EVERY.few * pages.current },
  );
  pages.current = Math.max(1, Math.ceil((list.items?.length ?? 0) / PAGE));
  // The rows before stay while those of other filters are read.
  const shown = useRef(list.items);
  if (list.items || list.error) shown.current = list.items;
  return { ...list, items: shown.current };
}

export default function Webhooks() {
  const { can } = useRights();
  const { query: parameters, route } = useLocation();
  const query = listQueryOf(parameters);
  const go = (next: ListQuery) => route(pathTo("webhooks", parametersOf(next)), true);
  const list = useWebhooks(query);
  const status = useStatus(EVERY.few);
  const unhealthy = useUnhealthy();
  const isAll = !isFiltered(query);
  const counted = isAll && list.items && !list.hasMore ? list.items.length : undefined;
  const topicError = isCausewayError(list.error)
    ? list.error.errors.find(({ path }) => path === "query.topic")?.message
    : undefined;
  return (
    <Page
      title="Webhooks"
      lead={countLead(counted ?? status.data?.webhooks, unhealthy.data?.items.length, unhealthy.data?.hasMore ?? false)}
      actions={
        can("webhooks") && (
          <a class="button primary" href={pathTo("webhooks/new")}>
            New webhook
          </a>
        )
      }
    >
      <ListFilters query={query} topicError={topicError} onChange={(changes) => go({ ...query, ...changes })} />
      {!topicError && (
        <Loaded of={{ ...list, data: list.items }} failure="The webhooks could not be read">
          {(items) => {
            if (items.length === 0)
              return isAll ? <NoWebhooks /> : <NoMatch onClear={() => route(pathTo("webhooks"), true)} />;
            return (
              <>
                <WebhookTable webhooks={items} query={query} onSort={go} />
                <div class="row">
                  <More list={list} />
                  {list.hasMore && (
                    <span class="small quiet">
                      {formatCount(items.length)} loaded{query.sort && ", sorted among themselves"}.
                    </span>
                  )}
                </div>
              </>
            );
          }}
        </Loaded>
      )}
    </Page>
  );
}

function NoMatch({ onClear }: { onClear: () => void }) {
  return (
    <div class="empty">
      <p>No webhook matches these filters.</p>
      <button type="button" class="button" onClick={onClear}>
        Clear the filters
      </button>
    </div>
  );
}
