import { Dialog } from "../../components/dialog.tsx";
import { ListLink } from "../../components/list-link.tsx";
import { Loaded } from "../../components/loaded.tsx";
import { StateMark } from "../../components/state-mark.tsx";
import { Time } from "../../components/time.tsx";
import { pathTo } from "../../data/address.ts";
import { causeway } from "../../data/causeway.ts";
import { useData } from "../../data/query.ts";
import { useRights } from "../../data/session.tsx";
import { deliveryMark } from "../../data/states.ts";
import type { Webhooks } from "../../data/webhook-names.ts";
import { Attempts } from "./attempts.tsx";
import { canRetry } from "./filters.ts";
import { MessageFacts, MessagePayload } from "./message-facts.tsx";
import { Retry } from "./retry.tsx";

interface DeliveryPanelProps {
  webhookId: string;
  messageId: string;
  webhooks: Webhooks;
  onClose: () => void;
}

/** A delivery beside the list: message, attempts, and what can be done. It is read once, so that nothing moves. */
export function DeliveryPanel({ webhookId, messageId, webhooks, onClose }: DeliveryPanelProps) {
  const { can } = useRights();
  const delivery = useData(["delivery", webhookId, messageId], (options) =>
    causeway.deliveries.get(webhookId, messageId, options),
  );
  return (
    <Dialog side title={`Delivery to ${webhooks.name(webhookId)}`} onClose={onClose}>
      <Loaded of={delivery} failure="The delivery could not be read" list={<ListLink to="deliveries" />}>
        {(data) => (
          <>
            <div class="section-head">
              <div class="row">
                <StateMark {...deliveryMark(data)} />
                {data.nextAttemptAt && data.lastAttempt && (
                  <span class="quiet">
                    next try <Time at={data.nextAttemptAt} />
                  </span>
                )}
              </div>
              <div class="row">
                <button type="button" class="button" onClick={delivery.refetch}>
                  Refresh
                </button>
                {can("webhooks") && canRetry(data) && <Retry webhookId={webhookId} messageId={messageId} isMain />}
              </div>
            </div>
            <dl class="facts">
              <MessageFacts message={data.message} />
              <dt>Received</dt>
              <dd>
                <Time at={data.receivedAt} exact /> (<Time at={data.receivedAt} />)
              </dd>
              {data.finishedAt && (
                <>
                  <dt>Ended</dt>
                  <dd>
                    <Time at={data.finishedAt} exact />
                  </dd>
                </>
              )}
              <dt>Message</dt>
              <dd>
                <a class="mono" href={pathTo(`messages/${messageId}`)}>
                  {messageId}
                </a>
              </dd>
              <dt>Webhook</dt>
              <dd>
                <a href={pathTo(`webhooks/${webhookId}`)}>{webhooks.name(webhookId)}</a>
              </dd>
            </dl>
            <div class="section">
              <h3>Payload</h3>
              <MessagePayload message={data.message} id={messageId} />
            </div>
            <div class="section">
              <h3>Attempts</h3>
              <Attempts delivery={data} webhook={webhooks.get(webhookId)} />
            </div>
          </>
        )}
      </Loaded>
    </Dialog>
  );
}
