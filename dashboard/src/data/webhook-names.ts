/** Webhooks by id, for lists that show their names. */
import type { Webhook } from "causeway-mqtt/client";
import { causeway } from "./causeway.ts";
import { EVERY, useData } from "./query.ts";
import { nameOf } from "./states.ts";

/** More entries make no usable select; the list of webhooks has a search. */
const MAX_WEBHOOKS = 1_000;
const PAGE = 250;

export interface Webhooks {
  all: readonly Webhook[];
  /** Whether there are more than {@link Webhooks.all} has. */
  isCut: boolean;
  get(id: string): Webhook | undefined;
  /** The name, the host of the URL, or the id while it is unknown. */
  name(id: string): string;
}

export function useWebhooks(): Webhooks {
  const { data = [] } = useData(
    ["webhooks", "names"],
    async (options) => {
      const all: Webhook[] = [];
      for await (const webhook of causeway.webhooks.list({ limit: PAGE }, options)) {
        all.push(webhook);
        if (all.length >= MAX_WEBHOOKS) break;
      }
      return all;
    },
    { everyMs: EVERY.slow },
  );
  const byId = new Map(data.map((webhook) => [webhook.id, webhook]));
  const get = (id: string) => byId.get(id);
  return {
    all: data,
    isCut: data.length >= MAX_WEBHOOKS,
    get,
    name: (id) => {
      const webhook = get(id);
      return webhook ? nameOf(webhook) : id;
    },
  };
}
