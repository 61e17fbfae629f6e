import type { Delivery, Webhook } from "causeway-mqtt/client";
import { Loaded } from "../../../components/loaded.tsx";
import { StateMark } from "../../../components/state-mark.tsx";
import { Time } from "../../../components/time.tsx";
import { pathTo } from "../../../data/address.ts";
import { causeway } from "../../../data/causeway.ts";
import { formatDuration } from "../../../data/format.ts";
import { EVERY, useData } from "../../../data/query.ts";
import { causeOf, deliveryMark } from "../../../data/states.ts";

const SHOWN = 10;

/** The newest deliveries of a webhook, each with the way to its message. */
export function RecentDeliveries({ webhook: { id, topics } }: { webhook: Webhook }) {
  const recent = useData(
    ["deliveries", "recent", id],
    (options) => causeway.deliveries.list({ webhookId: id, limit: SHOWN }, options).page(),
    { everyMs: EVERY.few },
  );
  return (
    <section class="section" aria-labelledby="recent-title">
      <div class="section-head">
        <h2 id="recent-title">Recent deliveries</h2>
        <a href={pathTo("deliveries", { webhookId: id })}>All deliveries of this webhook</a>
      </div>
      <Loaded of={recent} failure="The deliveries could not be read">
        {({ items }) =>
          items.length === 0 ? (
            <div class="empty">
              No delivery yet{topics.length > 0 && ` on ${topics[0]}`}.
              <a class="button" href={pathTo("live", { topic: topics[0] })}>
                Publish a message
              </a>
            </div>
          ) : (
            <Table deliveries={items} />
          )
        }
      </Loaded>
    </section>
  );
}

function Table({ deliveries }: { deliveries: readonly Delivery[] }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
    <section class="table-wrap" tabIndex={0} aria-label="Table of recent deliveries">
      <table class="table">
        <thead>
          <tr>
            <th scope="col">State</th>
            <th scope="col">Topic</th>
            <th scope="col">Received</th>
            <th scope="col" class="number">
              Attempts
            </th>
            <th scope="col">Last attempt</th>
          </tr>
        </thead>
        <tbody>
          {deliveries.map((delivery) => (
            <tr key={delivery.messageId}>
              <td>
                <StateMark {...deliveryMark(delivery)} />
              </td>
              <td class="wide">
                <a class="mono" data-row href={pathTo(`messages/${delivery.messageId}`)}>
                  {delivery.topic}
                </a>
              </td>
              <td>
                <Time at={delivery.receivedAt} />
              </td>
              <td class="number">{delivery.attempts}</td>
              <td>{lastAttemptInWords(delivery)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function lastAttemptInWords({ lastAttempt }: Delivery): string {
  if (!lastAttempt) return "–";
  return `${causeOf(lastAttempt)} in ${formatDuration(lastAttempt.durationMs)}`;
}
