import type { Delivery } from "causeway-mqtt/client";
import { memo } from "preact/compat";
import { isLong, LongRows } from "../../components/long-rows.tsx";
import { StateMark } from "../../components/state-mark.tsx";
import { Time } from "../../components/time.tsx";
import { pathTo } from "../../data/address.ts";
import { causeOf, deliveryMark } from "../../data/states.ts";
import type { Webhooks } from "../../data/webhook-names.ts";

interface DeliveryTableProps {
  deliveries: readonly Delivery[];
  webhooks: Webhooks;
  /** Identifies the delivery whose panel is open. */
  open: string;
  /** The address with the panel of a delivery. */
  pathOf: (delivery: Delivery) => string;
}

/** Names a delivery in the address. */
export function openId({ webhookId, messageId }: Pick<Delivery, "webhookId" | "messageId">): string {
  return `${webhookId}.${messageId}`;
}

export function DeliveryTable({ deliveries, webhooks, open, pathOf }: DeliveryTableProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
    <section class="table-wrap deliveries-table" tabIndex={0} aria-label="Deliveries">
      <table
        class={`table deliveries ${isLong(deliveries.length) ? "long" : ""}`}
        aria-rowcount={isLong(deliveries.length) ? deliveries.length + 1 : undefined}
      >
        <thead>
          <tr>
            <th scope="col">State</th>
            <th scope="col">Topic</th>
            <th scope="col">Webhook</th>
            <th scope="col">Received</th>
            <th scope="col" class="number">
              Attempts
            </th>
            <th scope="col">Last cause</th>
            <th scope="col">Next try</th>
          </tr>
        </thead>
        <LongRows
          count={deliveries.length}
          columns={7}
          row={(i, ariaIndex) => {
            const delivery = deliveries[i]!;
            const id = openId(delivery);
            return (
              <DeliveryRow
                key={id}
                delivery={delivery}
                ariaIndex={ariaIndex}
                isOpen={open === id}
                href={pathOf(delivery)}
                webhook={webhooks.name(delivery.webhookId)}
              />
            );
          }}
        />
      </table>
    </section>
  );
}

interface DeliveryRowProps {
  delivery: Delivery;
  ariaIndex: number | undefined;
  isOpen: boolean;
  href: string;
  /** Its name. */
  webhook: string;
}

/** A row is drawn anew only when its data changed. */
const DeliveryRow = memo(function DeliveryRow({ delivery, ariaIndex, isOpen, href, webhook }: DeliveryRowProps) {
  return (
    <tr aria-selected={isOpen ? "true" : undefined} aria-rowindex={ariaIndex}>
      <td>
        <StateMark {...deliveryMark(delivery)} />
      </td>
      <td class="wide">
        <a class="mono" href={href} data-row>
          {delivery.topic}
        </a>
        {delivery.type && delivery.type !== "mqtt.message" && <div class="small quiet">{delivery.type}</div>}
      </td>
      <td>
        <a href={pathTo(`webhooks/${delivery.webhookId}`)}>{webhook}</a>
      </td>
      <td>
        <Time at={delivery.receivedAt} />
      </td>
      <td class="number">{delivery.attempts}</td>
      <td>{delivery.lastAttempt?.error ? causeOf(delivery.lastAttempt) : ""}</td>
      <td>{nextTry(delivery)}</td>
    </tr>
  );
});

function nextTry({ nextAttemptAt, status, lastAttempt }: Delivery) {
  if (nextAttemptAt && lastAttempt) return <Time at={nextAttemptAt} />;
  return status === "retrying" ? "after its predecessor" : "";
}
