/** Ids, keys and cursors from responses, for later calls by the same and other keys. */
import type { KnownKey } from "./call.ts";
import type { Random } from "./random.ts";

export const KINDS = [
  "webhook",
  "pull",
  "key",
  "message",
  "request",
  "replay",
  "delivery",
  "cursor",
  "topic",
  "hook",
  "token",
] as const;
export type Kind = (typeof KINDS)[number];

/** Number kept of each kind; the oldest are dropped. */
const KEPT = 60;

export class State {
  readonly #ids = new Map<Kind, string[]>(KINDS.map((kind) => [kind, []]));
  readonly keys: KnownKey[] = [];
  /** Deleted keys, which must no longer work. */
  readonly withdrawn: KnownKey[] = [];
  /** Registrations as last returned. */
  readonly webhooks = new Map<string, { topics: string[] }>();

  /** Returns an id of this kind; undefined if there is none. */
  any(random: Random, kind: Kind): string | undefined {
    const ids = this.#ids.get(kind)!;
    return ids.length === 0 ? undefined : random.pick(ids);
  }

  add(kind: Kind, id: unknown): void {
    const ids = this.#ids.get(kind)!;
    if (typeof id !== "string" || ids.includes(id)) return;
    ids.push(id);
    if (ids.length > KEPT) ids.shift();
  }

  /** Records ids from the JSON body of a successful response. */
  // biome-ignore lint/suspicious/noExplicitAny: bodies of many shapes
  learn(operation: string | undefined, path: string, body: any): void {
    const [, , , parent] = path.split(/[/?]/);
    switch (operation) {
      case "createWebhook":
        // A concurrent call by external id may replace the topics at any time.
        if (body.externalId === undefined) this.webhooks.set(body.id, { topics: body.topics });
        this.add("webhook", body.id);
        if (body.type === "pull") this.add("pull", body.id);
        break;
      case "putWebhook":
        this.add("webhook", body.id);
        if (body.type === "pull") this.add("pull", body.id);
        break;
      case "createKey":
        this.keys.push(body);
        this.add("key", body.id);
        break;
      case "createHook":
      case "putHook":
        this.add("hook", body.id);
        this.add("token", body.path.split("/").at(-1));
        break;
      case "deleteKey":
        this.withdrawn.push(...this.keys.filter(({ id }) => id === parent));
        this.keys.splice(0, this.keys.length, ...this.keys.filter(({ id }) => id !== parent));
        break;
      case "deleteWebhook":
        this.webhooks.delete(parent!);
        break;
      case "publishMessage":
        // Only a stored publish can be read or cancelled; most of the queued ones have ended before a call can cancel them.
        if (body.outcome === "scheduled" || (body.outcome === "queued" && this.#ids.get("message")!.length === 0))
          this.add("message", body.id);
        break;
      case "retainTopic":
        this.add("topic", body.topic);
        break;
      case "sendRequest":
        this.add("request", body.id);
        break;
      case "testWebhook":
        this.add("delivery", `${parent}/${body.messageId}`);
        break;
      case "replayDeliveries":
        // A dry run has no id.
        if (body.id !== undefined) this.add("replay", `${body.webhookId}/${body.id}`);
        break;
      case "listAllDeliveries":
      case "listDeliveries":
        for (const { webhookId, messageId } of body.items) {
          this.add("delivery", `${webhookId}/${messageId}`);
          this.add("message", messageId);
        }
    }
    if (body?.nextCursor) this.add("cursor", body.nextCursor);
  }
}
