import type { Webhook } from "causeway-mqtt/client";
import type { ComponentChildren } from "preact";
import { Copy } from "../../../components/copy.tsx";
import { Time } from "../../../components/time.tsx";
import { pathTo } from "../../../data/address.ts";
import { countOf, formatDuration } from "../../../data/format.ts";
import { useRights } from "../../../data/session.tsx";
import { scheduleInWords } from "../form/schedule.ts";

type Fact = readonly [name: string, value: ComponentChildren];
/** Absent facts are left out. */
type MaybeFact = Fact | false | "" | undefined;

/** The settings of a webhook. Its secrets are not among them. */
export function Facts({ webhook }: { webhook: Webhook }) {
  const { can } = useRights();
  return (
    <section class="section" aria-labelledby="settings-title">
      <div class="section-head">
        <h2 id="settings-title">Settings</h2>
        <Copy text={webhook.id} label="Copy the id" />
      </div>
      <div class="grid-2">
        <Panel facts={sourceFacts(webhook)} />
        <Panel facts={deliveryFacts(webhook)} />
      </div>
      {(webhook.filter || webhook.transform) && (
        <div class="grid-2">
          {webhook.filter && <Expression title="Filter" text={webhook.filter} />}
          {webhook.transform && <Expression title="Transform" text={webhook.transform} />}
        </div>
      )}
      {can("webhooks") && (
        <div>
          <a class="button" href={pathTo(`webhooks/${webhook.id}/edit`)}>
            Change the settings
          </a>
        </div>
      )}
    </section>
  );
}

function Panel({ facts }: { facts: readonly MaybeFact[] }) {
  return (
    <dl class="panel facts">
      {facts
        .filter((fact): fact is Fact => Boolean(fact))
        .flatMap(([name, value]) => [<dt key={`${name}-name`}>{name}</dt>, <dd key={name}>{value}</dd>])}
    </dl>
  );
}

function Expression({ title, text }: { title: string; text: string }) {
  return (
    <figure class="section request">
      <figcaption>
        <h3>{title}</h3>
      </figcaption>
      <pre>{text}</pre>
    </figure>
  );
}

const PAYLOAD_FORMATS = { sparkplug: "Sparkplug B", cbor: "CBOR", msgpack: "MessagePack" };

function sourceFacts(webhook: Webhook): MaybeFact[] {
  const { url, method, topics, qos, headers, auth, ca, events = [], retained, payloadFormat } = webhook;
  const names = Object.entries(headers ?? {});
  return [
    url === undefined
      ? ["Pulled", "Consumers take its deliveries and acknowledge them."]
      : ["Calls", <span class="mono" key="url">{`${method} ${url}`}</span>],
    [
      "Topics",
      topics.length === 0 ? (
        "none"
      ) : (
        <ul key="topics">
          {topics.map((topic) => (
            <li class="mono" key={topic}>
              {topic}
            </li>
          ))}
        </ul>
      ),
    ],
    ["QoS", qos],
    payloadFormat !== "auto" && (["Payload format", PAYLOAD_FORMATS[payloadFormat]] as const),
    retained === "deliver" && (["Retained messages", "delivered once at the registration"] as const),
    events.length > 0 && (["Events of the bridge", events.join(", ")] as const),
    names.length > 0 &&
      ([
        "Headers",
        <ul key="headers">
          {names.map(([name, value]) => (
            <li class="mono" key={name}>
              {name}: {value}
            </li>
          ))}
        </ul>,
      ] as const),
    auth &&
      ([
        "Authentication",
        `${auth.type}${auth.username ? `, user ${auth.username}` : ""}${auth.clientId ? `, client ${auth.clientId}` : ""}`,
      ] as const),
    ca !== undefined && (["Certificate authorities", "of this webhook"] as const),
  ];
}

function deliveryFacts(webhook: Webhook): MaybeFact[] {
  const { mode, batch, concurrency, ordering, rateLimit, retry, timeoutMs, replyTopic, verification, id } = webhook;
  const isCalled = webhook.url !== undefined;
  return [
    ["Body", mode === "binary" ? "binary: the payload itself" : "structured: a CloudEvent in JSON"],
    batch &&
      (["Batches", `up to ${batch.maxSize}, after ${formatDuration(batch.maxWaitMs ?? 1_000)} at the latest`] as const),
    isCalled && (["Parallel calls", concurrency] as const),
    ordering !== "none" && (["Order", ordering === "topic" ? "by topic" : "strict"] as const),
    rateLimit && (["Rate limit", `${countOf(rateLimit.max, "call")} in ${rateLimit.perSeconds} s`] as const),
    ["Retry after", scheduleInWords(retry?.scheduleSeconds ?? [])],
    isCalled && (["Time limit", formatDuration(timeoutMs)] as const),
    replyTopic &&
      ([
        "Reply topic",
        <span class="mono" key="reply">
          {replyTopic}
        </span>,
      ] as const),
    verification && (["Consent of the receiver", verification.state === "verified" ? "given" : "pending"] as const),
    webhook.externalId &&
      ([
        "External id",
        <span class="mono" key="external">
          {webhook.externalId}
        </span>,
      ] as const),
    [
      "Id",
      <span class="mono" key="id">
        {id}
      </span>,
    ],
    ["Created", <Time key="created" at={webhook.createdAt} exact />],
    ["Changed", <Time key="changed" at={webhook.updatedAt} exact />],
  ];
}
