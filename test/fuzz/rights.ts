/** Checks that a key got nothing beyond its rights, as the API returned them when it created the key. */
import { type Operation, scopesOf } from "../../src/http/document.ts";
import { covers } from "../../src/topic.ts";
import type { Call, KnownKey } from "./call.ts";
import { isJson, jsonOf } from "./judge.ts";
import type { Reply } from "./send.ts";
import type { State } from "./state.ts";

/** Returns the faults of a successful response; empty if the key has the rights. */
export function trespass(call: Call, reply: Reply, operation: Operation | undefined, state: State): string[] {
  const { status } = reply;
  if (status >= 300 || !operation) return [];
  const scopes = scopesOf(operation);
  const { caller } = call;
  if (scopes.length === 0 || caller === "root") return [];
  if (caller === "none") return [`${status} without a key`];
  if (!scopes.some((scope) => caller.scopes.includes(scope)))
    return [`${status} for a key without the scope ${scopes.join(" or ")}`];
  return found(call, caller, isJson(call, reply) ? jsonOf(reply) : undefined, state);
}

// biome-ignore lint/suspicious/noExplicitAny: bodies of many shapes
function found(call: Call, key: KnownKey, body: any, state: State): string[] {
  const query = new URLSearchParams(call.path.split("?")[1]);
  switch (call.operation) {
    case "previewHook":
    case "publishMessage":
    case "publishToTopic":
    case "retainTopic":
    case "clearTopic":
      return beyond(key, "publish", body.topic);
    case "getMessage":
      return body.direction === "published"
        ? [...without(key, "publish"), ...beyond(key, "publish", body.topic)]
        : [...without(key, "webhooks", "view"), ...ofDeliveries(key, body.deliveries, state), ...ofContent(key, body)];
    case "getDelivery":
      return [...ofDeliveries(key, [body], state), ...ofContent(key, { type: body.type, ...body.message })];
    case "publishBatch":
      return (body?.results ?? []).flatMap((one: { status: number; topic: string }) =>
        one.status < 300 ? beyond(key, "publish", one.topic) : [],
      );
    case "createHook":
      return body.topic.includes("{") ? [] : beyond(key, "publish", body.topic);
    case "listHooks":
    case "getHook":
    case "putHook":
    case "updateHook":
      return ofHooks(key, body.items ?? [body]);
    case "openStream":
      return query.getAll("topic").flatMap((filter) => beyond(key, "read", filter));
    case "listRetained":
      return beyond(key, "read", query.get("filter")!);
    case "listWebhooks":
      return body.items.flatMap((webhook: object) => ofWebhook(key, webhook));
    case "createWebhook":
    case "putWebhook":
    case "updateWebhook":
      return [...ofWebhook(key, body), ...ofReplies(call, key, body)];
    case "getWebhook":
    case "pauseWebhook":
    case "resumeWebhook":
    case "rotateSecret":
      return ofWebhook(key, body);
    case "listAllDeliveries":
      return ofDeliveries(key, body.items, state);
    case "pullDeliveries":
      return body.items.flatMap(({ event }: { event: { type: string; subject: string } }) =>
        event.type === "webhook.test" ? [] : beyond(key, "read", event.type === "mqtt.message" ? event.subject : "#"),
      );
    case "getAllMetrics":
      return ofDeliveries(
        key,
        body.webhooks.map(({ id }: { id: string }) => ({ webhookId: id })),
        state,
      );
    case "getWebhookMetrics":
    case "ackDeliveries":
    case "nackDeliveries":
    case "listDeliveries":
    case "testWebhook":
    case "replayDeliveries":
    case "deleteWebhook": {
      const known = state.webhooks.get(call.path.split(/[/?]/)[3]!);
      return (known?.topics ?? []).flatMap((topic) => beyond(key, "read", topic));
    }
    default:
      return [];
  }
}

// biome-ignore lint/suspicious/noExplicitAny: a webhook
function ofWebhook(key: KnownKey, { topics, events }: any): string[] {
  const faults = topics.flatMap((topic: string) => beyond(key, "read", topic));
  return events.length > 0 ? [...faults, ...beyond(key, "read", "#")] : faults;
}

/** The path of a hook is a secret of its creator. */
function ofHooks(key: KnownKey, hooks: { createdBy: string }[]): string[] {
  if (key.scopes.includes("admin")) return [];
  return hooks.flatMap(({ createdBy }) => (createdBy === key.id ? [] : [`a hook of ${createdBy}`]));
}

function ofDeliveries(key: KnownKey, deliveries: { webhookId: string }[], state: State): string[] {
  return deliveries.flatMap(({ webhookId }) =>
    (state.webhooks.get(webhookId)?.topics ?? []).flatMap((topic) => beyond(key, "read", topic)),
  );
}

/** The content of a message requires the right to read its topic. */
// biome-ignore lint/suspicious/noExplicitAny: a message
function ofContent(key: KnownKey, { type, topic, payload, payloadBase64 }: any): string[] {
  if (type === "webhook.test" || (payload ?? payloadBase64) === undefined) return [];
  return beyond(key, "read", type === "mqtt.message" ? topic : "#");
}

function without(key: KnownKey, ...scopes: string[]): string[] {
  return scopes.some((scope) => key.scopes.includes(scope)) ? [] : [`the key has no scope ${scopes.join(" or ")}`];
}

/** A key that sets the replying receiver or the reply topic must be allowed to publish there. */
// biome-ignore lint/suspicious/noExplicitAny: a webhook
function ofReplies({ body }: Call, key: KnownKey, { replyTopic }: any): string[] {
  const given = Object.keys(JSON.parse(body!.toString()));
  const decides = ["url", "topics", "replyTopic"].some((field) => given.includes(field));
  if (!decides || replyTopic === undefined || replyTopic.includes("{")) return [];
  return beyond(key, "publish", replyTopic);
}

function beyond(key: KnownKey, what: "publish" | "read", topic: string): string[] {
  return key[what].some((granted) => covers(granted, topic)) ? [] : [`the key may not ${what} ${topic.slice(0, 200)}`];
}
