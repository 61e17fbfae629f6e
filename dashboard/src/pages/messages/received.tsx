import type { DeliveryDetail } from "causeway-mqtt/client";
import { StateMark } from "../../components/state-mark.tsx";
import { Time } from "../../components/time.tsx";
import { pathTo } from "../../data/address.ts";
import { useRights } from "../../data/session.tsx";
import { causeOf, deliveryMark } from "../../data/states.ts";
import type { Webhooks } from "../../data/webhook-names.ts";
import { canRetry } from "../deliveries/filters.ts";
import { MessageFacts, MessagePayload } from "../deliveries/message-facts.tsx";
import { Retry } from "../deliveries/retry.tsx";
import { Steps } from "./steps.tsx";
import { type Received, receivedSteps } from "./timeline.ts";

interface ReceivedProps {
  message: Received;
  details: readonly DeliveryDetail[];
  webhooks: Webhooks;
}

/** A message from a device, or an event of the bridge, on its way to webhooks. */
export function ReceivedMessage({ message, details, webhooks }: ReceivedProps) {
  return (
    <>
      <Deliveries message={message} details={details} webhooks={webhooks} />
      <section class="section">
        <h2>Time line</h2>
        <Steps steps={receivedSteps(message, details, webhooks.name)} webhooks={webhooks} />
        {details.length < message.deliveries.length && (
          <p class="quiet small">
            The attempts of {message.deliveries.length - details.length} more deliveries are behind the links above.
          </p>
        )}
      </section>
      <div class="grid-2">
        <section class="section">
          <h2>Payload</h2>
          <MessagePayload message={message} id={message.id} />
        </section>
        <section class="section">
          <h2>Message</h2>
          <dl class="facts">
            <MessageFacts message={message} />
            <dt>Type</dt>
            <dd>{message.type}</dd>
            <dt>Id</dt>
            <dd class="mono">{message.id}</dd>
          </dl>
        </section>
      </div>
    </>
  );
}

function Deliveries({ message: { id, deliveries }, details, webhooks }: ReceivedProps) {
  const { can } = useRights();
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
    <section class="table-wrap" tabIndex={0} aria-label="Deliveries of the message">
      <table class="table">
        <thead>
          <tr>
            <th scope="col">Webhook</th>
            <th scope="col">State</th>
            <th scope="col" class="number">
              Attempts
            </th>
            <th scope="col">Last cause</th>
            <th scope="col">Next try</th>
            <th scope="col">
              <span class="visually-hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {deliveries.map(({ webhookId, status, attempts, lastAttempt }) => {
            const detail = details.find((one) => one.webhookId === webhookId);
            return (
              <tr key={webhookId}>
                <td>
                  <a href={pathTo(`webhooks/${webhookId}`)} data-row>
                    {webhooks.name(webhookId)}
                  </a>
                </td>
                <td>
                  <StateMark {...deliveryMark({ status, filtered: detail?.filtered ?? false })} />
                </td>
                <td class="number">{attempts}</td>
                <td>{lastAttempt?.error ? causeOf(lastAttempt) : ""}</td>
                <td>{lastAttempt && detail?.nextAttemptAt ? <Time at={detail.nextAttemptAt} /> : ""}</td>
                <td>
                  <div class="row actions">
                    <a class="button plain" href={pathTo("deliveries", { webhookId, open: `${webhookId}.${id}` })}>
                      Open
                    </a>
                    {can("webhooks") && canRetry({ status, lastAttempt }) && (
                      <Retry webhookId={webhookId} messageId={id} isMain={status === "failed"} />
                    )}
                  </div>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}
