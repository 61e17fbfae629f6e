/**
 * External ids: names that callers give to their webhooks. A record reserves each name for the id of one webhook before
 * that webhook is stored. Concurrent registrations, on any instance, and a repetition after a crash between the two
 * writes therefore create the same record, and only one of them succeeds.
 */
import { newId } from "../message.ts";
import type { Records } from "../store/store.ts";
import type { WebhookRegistry } from "./registry.ts";
import type { Webhook } from "./webhook.ts";

/** Stored under the external id. */
export interface Reservation {
  webhookId: string;
  /** The webhook is being removed. Its id must not be used again: other instances may still know the old record. */
  removing?: true;
}

export interface ExternalIdsOptions {
  records: Pick<Records<Reservation>, "get" | "create" | "replace" | "remove">;
  registry: Pick<WebhookRegistry, "all" | "read" | "create" | "remove">;
}

export class ExternalIds {
  constructor(private readonly options: ExternalIdsOptions) {}

  /** Returns the webhook with this external id, as it is in the store. */
  async find(externalId: string): Promise<Webhook | undefined> {
    const { records, registry } = this.options;
    const reserved = (await records.get(externalId))?.value.webhookId;
    const id = reserved ?? registry.all().find((webhook) => webhook.externalId === externalId)?.id;
    return id === undefined ? undefined : registry.read(id);
  }

  /**
   * Stores a new webhook; one with an external id under the id that this is reserved for.
   * @returns undefined when there is a webhook with this external id
   */
  async create(webhook: Webhook, externalId = webhook.externalId): Promise<Webhook | undefined> {
    if (externalId !== undefined && (await this.find(externalId))) return undefined;
    const id = externalId === undefined ? webhook.id : await this.#reserve(externalId);
    const created = { ...webhook, id };
    return (await this.options.registry.create(id, created)) ? created : undefined;
  }

  /**
   * Removes a webhook and frees its external id. After a crash in between, the mark frees it for the next registration.
   * @returns false when the webhook does not exist
   */
  async remove(id: string, externalId?: string): Promise<boolean> {
    const { records, registry } = this.options;
    if (externalId === undefined) return registry.remove(id);
    const reservation = await records.get(externalId);
    const isOwn = reservation?.value.webhookId === id;
    const marked = isOwn && (await records.replace(externalId, { webhookId: id, removing: true }, reservation.version));
    const removed = await registry.remove(id);
    // Not without its version: another registration may have taken the external id since.
    if (marked) await records.remove(externalId, reservation.version + 1);
    return removed;
  }

  /** Returns the id under which the webhook with this external id is or will be stored. */
  async #reserve(externalId: string): Promise<string> {
    const { records, registry } = this.options;
    for (;;) {
      const found = await records.get(externalId);
      const id = newId("wh");
      if (!found) {
        if (await records.create(externalId, { webhookId: id })) return id;
        continue;
      }
      const { webhookId, removing } = found.value;
      if (!removing || (await registry.read(webhookId))) return webhookId;
      if (await records.replace(externalId, { webhookId: id }, found.version)) return id;
    }
  }
}
