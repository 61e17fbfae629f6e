/**
 * What all instances know of the endpoints that are not healthy, and what has to be told of it. Whoever's
 * compare-and-set makes a transition tells it; if that instance dies before it has, another one does.
 */
import { Problem } from "../../errors.ts";
import { newId } from "../../message.ts";
import type { Webhook, WebhookEvent } from "../../webhooks/webhook.ts";
import { type EndpointRecord, healthy, isOver, type Notice, noticed } from "./circuit-breaker.ts";

/** What lasts and is shared; `View` of the store's records is one. */
export interface EndpointRecords {
  get(id: string): EndpointRecord | undefined;
  all(): EndpointRecord[];
  /** Straight from the store. @throws Problem not_found */
  read(id: string): Promise<EndpointRecord>;
  /** False when there is one. */
  create(id: string, value: EndpointRecord): Promise<boolean>;
  /** Compare-and-set, undefined leaves it as it is. @throws Problem not_found, conflict */
  update(id: string, change: (current: EndpointRecord) => EndpointRecord | undefined): Promise<unknown>;
  /** @throws Problem not_found */
  remove(id: string): Promise<void>;
}

export interface EndpointsOptions {
  records: EndpointRecords;
  webhook(id: string): Webhook | undefined;
  /**
   * Writes down that the bridge calls a webhook no more.
   * @returns whether this notice says why; false where another one did before, or the webhook is gone
   */
  disable(webhookId: string, notice: Notice): Promise<boolean>;
  /** Tells those who want to know. The same notice may come again, with the same id. */
  announce(webhookId: string, notice: Notice): Promise<void>;
  /** Called by the instance that made it. */
  onTransition(webhookId: string, notice: Notice): void;
  onError(error: Error): void;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** What another instance left unannounced is taken over after so long. */
const OVERDUE_MS = 10_000;
const MAX_CONFLICTS = 20;

type Change = (current: EndpointRecord | undefined) => EndpointRecord | undefined;

export class Endpoints {
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: EndpointsOptions) {}

  start(): void {
    this.#timer = setInterval(() => void this.#tidy(), OVERDUE_MS).unref();
    void this.#tidy();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** As this instance knows it. */
  get(id: string): EndpointRecord | undefined {
    return this.options.records.get(id);
  }

  /** Straight from the store. */
  async read(id: string): Promise<EndpointRecord | undefined> {
    return this.options.records.read(id).catch((error: unknown) => void isNotFound(error));
  }

  async remove(id: string): Promise<void> {
    await this.options.records.remove(id).catch(isNotFound);
  }

  /** @returns what was written, undefined when nothing was */
  async change(id: string, change: Change): Promise<EndpointRecord | undefined> {
    const { records } = this.options;
    for (let i = 0; i < MAX_CONFLICTS; i++) {
      let next: EndpointRecord | undefined;
      const found = await records
        .update(id, (current) => {
          next = change(current);
          return next;
        })
        .then(() => true, isNotFound);
      if (found) return next;
      next = change(undefined);
      // A webhook that was removed meanwhile must leave nothing behind.
      if (!next || !this.options.webhook(id)) return undefined;
      if (await records.create(id, next)) return next;
    }
    throw new Problem("conflict", "the endpoint's record is being changed by others");
  }

  /** A change that is told, by whoever makes it. @returns as {@link change} */
  async transition(
    id: string,
    { type, at, reason }: { type: WebhookEvent; at: number; reason: string },
    change: Change,
  ): Promise<EndpointRecord | undefined> {
    let notice: Notice | undefined;
    const noticeId = newId("msg");
    const written = await this.change(id, (current) => {
      const next = change(current);
      notice = next && { id: noticeId, type, at, reason, failingSince: next.failingSince };
      return next && notice && noticed(next, notice);
    });
    if (!written || !notice) return undefined;
    if (await this.#happened(id, notice)) this.options.onTransition(id, notice);
    await this.#announce(written);
    return written;
  }

  /** Changes a record that is there, and removes it when nothing is left of it. */
  async settle(id: string, change: (record: EndpointRecord) => EndpointRecord | undefined): Promise<void> {
    const record = await this.change(id, (current) => current && change(current));
    if (record && isOver(record)) await this.remove(id);
  }

  async #announce({ id, notices }: EndpointRecord): Promise<void> {
    for (const notice of notices) {
      if (await this.#happened(id, notice)) await this.options.announce(id, notice);
    }
    const told = new Set(notices.map((notice) => notice.id));
    const isDisabled = notices.some(({ type }) => type === "webhook.disabled");
    await this.settle(id, (record) => {
      const rest = { ...record, notices: record.notices.filter((notice) => !told.has(notice.id)) };
      return isDisabled ? healthy(rest) : rest;
    });
  }

  /**
   * An instance that has not heard yet that another one disabled the webhook would tell of it again. Asked each time,
   * since whoever disabled it may have died before it told.
   */
  async #happened(id: string, notice: Notice): Promise<boolean> {
    return notice.type !== "webhook.disabled" || this.options.disable(id, notice);
  }

  /** What others left behind: records of webhooks that are gone, and what was never announced. */
  async #tidy(): Promise<void> {
    const overdue = this.options.now() - OVERDUE_MS;
    for (const record of this.options.records.all()) {
      try {
        if (!this.options.webhook(record.id) || isOver(record)) await this.remove(record.id);
        else if (record.notices.some(({ at }) => at < overdue)) await this.#announce(record);
      } catch (error) {
        this.options.onError(error as Error);
      }
    }
  }
}

/** False when the error says that there is no record; any other is thrown again. */
function isNotFound(error: unknown): false {
  if (error instanceof Problem && error.code === "not_found") return false;
  throw error;
}
