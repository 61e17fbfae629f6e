import { pathTo } from "../../data/address.ts";
import { useRights } from "../../data/session.tsx";
import { addressQuery, type Filters, filtersOf, rangeInWords } from "./filters.ts";

/** No deliveries: the filters leave none, or there are none yet. */
export function Empty({ filters }: { filters: Filters }) {
  const { can } = useRights();
  const { status, webhookId, topic } = filters;
  const isFiltered = status !== "" || webhookId !== "" || topic !== "";
  return (
    <div class="empty">
      <p>
        {isFiltered
          ? `No delivery matches the filters ${rangeInWords(filters)}.`
          : `No message was delivered ${rangeInWords(filters)}. A delivery begins when a message matches a webhook.`}
      </p>
      <div class="row">
        {isFiltered && (
          <a class="button" href={pathTo("deliveries", addressQuery({ ...filtersOf({}), range: filters.range }))}>
            Show all deliveries
          </a>
        )}
        {filters.range !== "7d" && (
          <a
            class="button"
            href={pathTo("deliveries", addressQuery({ ...filters, range: "7d", since: "", until: "" }))}
          >
            Look at the last 7 d
          </a>
        )}
        {!isFiltered && can("webhooks") && (
          <a class="button" href={pathTo("webhooks/new")}>
            New webhook
          </a>
        )}
      </div>
    </div>
  );
}
