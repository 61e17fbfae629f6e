/** Ids, keys and cursors that responses gave, for later calls: their own callers' and others'. */
import type { KnownKey } from "./call.ts";
import type { Random } from "./random.ts";

export const KINDS = ["webhook", "key", "message", "request", "replay", "delivery", "cursor", "topic"] as const;
export type Kind = (typeof KINDS)[number];

/** So many of each kind; the oldest go first. */
const KEPT = 60;

export class State {
  readonly #ids = new Map<Kind, string[]>(KINDS.map((kind) => [kind, []]));
  readonly keys: KnownKey[] = [];
  /** Deleted keys, which must not work any more. */
  readonly withdrawn: KnownKey[] = [];
  /** Registrations as they were last seen. */
  readonly webhooks = new Map<string, { topics: string[] }>();

  /** An id of this kind; undefined while there is none. */
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

  /** Learns from a JSON body that the API answered with success. */
  // biome-ignore lint/suspicious/noExplicitAny: bodies of many shapes
  learn(operation: string | undefined, path: string, body: any): void {
    const [, , , parent] = path.split(/[/?]/);
    switch (operation) {
      case "createWebhook":
        this.webhooks.set(body.id, { topics: body.topics });
        this.add("webhook", body.id);
        break;
      case "createKey":
        this.keys.push(body);
        this.add("key", body.id);
        break;
      case "deleteKey":
        this.withdrawn.push(...this.keys.filter(({ id }) => id === parent));
        this.keys.splice(0, this.keys.length, ...this.keys.filter(({ id }) => id !== parent));
        break;
      case "deleteWebhook":
        this.webhooks.delete(parent!);
        break;
      case "publishMessage":
        // Only a stored publish can be read or cancelled.
        if (body.outcome === "queued" || body.outcome === "scheduled") this.add("message", body.id);
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
        this.add("replay", `${body.webhookId}/${body.id}`);
        break;
      case "listDeliveries":
        for (const { webhookId, messageId } of body.items) this.add("delivery", `${webhookId}/${messageId}`);
    }
    if (body?.nextCursor) this.add("cursor", body.nextCursor);
  }
}
