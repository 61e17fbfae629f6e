/**
 * External ids: names that callers give to their webhooks and hooks. A record reserves each name for the id of one of
 * them before that one is stored. Concurrent registrations, on any instance, and a repetition after a crash between the
 * two writes therefore create the same record, and only one of them succeeds.
 */
import { Refused } from "../errors.ts";
import { newId } from "../message.ts";
import type { RecordCache } from "./record-cache.ts";
import type { Records } from "./store.ts";

/** Fields of a reservation that hold the reserved id, and the prefixes of these ids. */
const PREFIXES = { webhookId: "wh", hookId: "hk" } as const;
type IdField = keyof typeof PREFIXES;

/** Stored under the external id. */
export type Reservation<F extends IdField = "webhookId"> = Record<F, string> & {
  /** The registration is being removed. Its id must not be used again: other instances may still know the old record. */
  removing?: true;
};

interface Registered {
  id: string;
  externalId?: string;
}

export interface ExternalIdsOptions<T, F extends IdField> {
  /** The field of the reservations. */
  field: F;
  records: Pick<Records<Reservation<F>>, "get" | "create" | "replace" | "remove">;
  registry: Pick<RecordCache<T>, "all" | "read" | "create" | "remove">;
}

/** How often a replacement starts again because the registration was created or removed meanwhile. */
const MAX_CHANGES = 20;

export class ExternalIds<T extends Registered, F extends IdField = IdField> {
  constructor(private readonly options: ExternalIdsOptions<T, F>) {}

  /** Returns the registration with this external id, as it is in the store. */
  async find(externalId: string): Promise<T | undefined> {
    const { records, registry, field } = this.options;
    const reserved = (await records.get(externalId))?.value[field];
    const id = reserved ?? registry.all().find((one) => one.externalId === externalId)?.id;
    return id === undefined ? undefined : registry.read(id);
  }

  /**
   * Stores a new registration; one with an external id under the id that this is reserved for.
   * @returns undefined when there is a registration with this external id
   */
  async create(registration: T, externalId = registration.externalId): Promise<T | undefined> {
    if (externalId !== undefined && (await this.find(externalId))) return undefined;
    const id = externalId === undefined ? registration.id : await this.#reserve(externalId);
    const created = { ...registration, id };
    return (await this.options.registry.create(id, created)) ? created : undefined;
  }

  /**
   * Replaces the registration with this external id, or creates it, whatever happens to it meanwhile.
   * @param create refuses with `conflict` if it exists @param replace refuses with `not_found` if it is gone
   */
  async put<D extends object>(
    externalId: string,
    { create, replace }: { create(): Promise<D | Refused>; replace(current: T): Promise<D | Refused> },
  ): Promise<{ created: boolean; registered: D } | Refused> {
    for (let changes = 0; ; changes++) {
      const current = await this.find(externalId);
      const registered = current ? await replace(current) : await create();
      if (!(registered instanceof Refused)) return { created: !current, registered };
      const isChanged = registered.code === (current ? "not_found" : "conflict");
      if (!isChanged || changes === MAX_CHANGES) return registered;
    }
  }

  /**
   * Removes a registration and frees its external id. After a crash in between, the mark frees it for the next one.
   * @returns false when the registration does not exist
   */
  async remove(id: string, externalId?: string): Promise<boolean> {
    const { records, registry } = this.options;
    if (externalId === undefined) return registry.remove(id);
    const reservation = await records.get(externalId);
    const isOwn = reservation?.value[this.options.field] === id;
    const marked =
      isOwn && (await records.replace(externalId, this.#reservation(id, { removing: true }), reservation.version));
    const removed = await registry.remove(id);
    // Not without its version: another registration may have taken the external id since.
    if (marked) await records.remove(externalId, reservation.version + 1);
    return removed;
  }

  /** Returns the id under which the registration with this external id is or will be stored. */
  async #reserve(externalId: string): Promise<string> {
    const { records, registry, field } = this.options;
    for (;;) {
      const found = await records.get(externalId);
      const id = newId(PREFIXES[field]);
      if (!found) {
        if (await records.create(externalId, this.#reservation(id))) return id;
        continue;
      }
      const { [field]: reserved, removing } = found.value;
      if (!removing || (await registry.read(reserved))) return reserved;
      if (await records.replace(externalId, this.#reservation(id), found.version)) return id;
    }
  }

  #reservation(id: string, more: { removing?: true } = {}): Reservation<F> {
    return { [this.options.field]: id, ...more } as Reservation<F>;
  }
}
