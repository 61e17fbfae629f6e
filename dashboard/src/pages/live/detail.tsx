import { Copy } from "../../components/copy.tsx";
import { PayloadView } from "../../components/payload.tsx";
import { Time } from "../../components/time.tsx";
import { pathTo } from "../../data/address.ts";
import { causeway } from "../../data/causeway.ts";
import { now } from "../../data/clock.ts";
import { EVERY, useData } from "../../data/query.ts";
import { useRights } from "../../data/session.tsx";
import { contentOf, propertiesOf } from "./event-content.ts";
import { followedBy, NEAR_MS } from "./follow.ts";
import type { TailMessage } from "./tail.ts";
import { useLiveQuery } from "./use-live-query.ts";
import type { TailHandle } from "./use-tail.ts";
import { Changes, History, Numbers } from "./values-view.tsx";

interface DetailProps {
  handle: TailHandle;
  message: TailMessage;
  onSelect: (message: TailMessage) => void;
}

/** One message of the stream, and the last ones of its topic. */
export function Detail({ handle: { tail, version }, message, onSelect }: DetailProps) {
  version.value;
  const { topic, event, at } = message;
  // A copy: components with the same properties are not drawn again.
  const history = [...tail.history];
  return (
    <div class="section detail">
      <div class="section-head">
        <h2 class="mono">{topic}</h2>
        <Copy text={topic} label="Copy topic" />
      </div>
      <p class="quiet">
        Received <Time at={at} exact /> with QoS {event.mqttqos}
      </p>
      <PayloadView {...contentOf(event)} name={topic.replaceAll("/", "-")} />
      <Actions message={message} />
      <div class="grid-2">
        <section class="section">
          <h3>Change to the message before</h3>
          <Changes message={message} history={history} />
          <details>
            <summary>Properties</summary>
            <dl class="facts">
              {propertiesOf(event).map(([name, value], i) => [
                <dt key={`${i} name`}>{name}</dt>,
                <dd key={i} class="mono">
                  {value}
                </dd>,
              ])}
            </dl>
          </details>
        </section>
        <section class="section">
          <h3>Last messages of the topic</h3>
          <Numbers message={message} history={history} />
          <History message={message} history={history} onSelect={onSelect} />
        </section>
      </div>
    </div>
  );
}

const FRESH_MS = 10_000;

function Actions({ message: { topic, at } }: { message: TailMessage }) {
  const { can } = useRights();
  const { addressOf } = useLiveQuery();
  const sees = can("view", "webhooks");
  const near = useData(
    ["deliveries", "near", topic, at],
    async (options) => {
      const since = new Date(at - NEAR_MS).toISOString();
      const until = new Date(at + NEAR_MS).toISOString();
      return (await causeway.deliveries.list({ topic, since, until, limit: 20 }, options).page()).items;
    },
    // The delivery of a message that has just arrived may follow.
    { enabled: sees, ...(now.value - at < FRESH_MS && { everyMs: EVERY.second }) },
  );
  const followed = near.data && followedBy(near.data, at);
  return (
    <div class="row">
      {followed !== undefined && (
        <a class="button" href={pathTo(`messages/${followed}`)}>
          Follow this message
        </a>
      )}
      {sees && (
        <a class="button" href={pathTo("deliveries", { topic })}>
          Deliveries of this topic
        </a>
      )}
      {can("publish") && (
        <a class="button" href={addressOf({ panel: "publish", to: topic })}>
          Publish to this topic
        </a>
      )}
      {can("webhooks") && (
        <>
          <a class="button" href={pathTo("webhooks/new", { topic })}>
            Create webhook for this topic
          </a>
          <a class="button" href={pathTo("workbench", { topic })}>
            Open in workbench
          </a>
        </>
      )}
    </div>
  );
}
