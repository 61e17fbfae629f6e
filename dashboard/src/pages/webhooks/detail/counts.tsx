import type { Webhook } from "causeway-mqtt/client";
import { pathTo } from "../../../data/address.ts";
import { formatCount } from "../../../data/format.ts";

/** The deliveries of a webhook by status, each with its list. */
export function Counts({ webhook: { id, counts } }: { webhook: Webhook }) {
  const figures = [
    ["pending", "Waiting", counts.pending],
    ["active", "In progress", counts.active],
    ["retrying", "Retrying", counts.retrying],
    ["succeeded", "Succeeded, kept", counts.succeeded],
    ["failed", "Failed, kept", counts.failed],
  ] as const;
  return (
    <section aria-label="Deliveries by status">
      <div class="figures">
        {figures.map(([status, word, count]) => (
          <div key={status}>
            <div class="small quiet">{word}</div>
            <div class="value">
              <a class="figure-link" href={pathTo("deliveries", { webhookId: id, status })}>
                {formatCount(count)}
              </a>
            </div>
          </div>
        ))}
        <div>
          <div class="small quiet">Dropped unsent</div>
          <div class="value">{formatCount(counts.discarded)}</div>
        </div>
      </div>
    </section>
  );
}
