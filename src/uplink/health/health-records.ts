/**
 * Shared records of unhealthy endpoints and their notices. The instance whose compare-and-set makes a transition
 * announces it; if that instance dies first, another one does.
 */
import { newId } from "../../message.ts";
import { ConflictError } from "../../store/record-cache.ts";
import type { Webhook, WebhookEvent } from "../../webhooks/webhook.ts";
import { type EndpointRecord, healthy, isOver, type Notice, noticed } from "./circuit-breaker.ts";

/** Durable, shared records; `RecordCache` implements this port. */
export interface EndpointRecords {
  get(id: string): EndpointRecord | undefined;
  all(): EndpointRecord[];
  /** Reads from the store, not from the cache. */
  read(id: string): Promise<EndpointRecord | undefined>;
  /** @returns false when the record exists already */
  create(id: string, value: EndpointRecord): Promise<boolean>;
  /**
   * Compare-and-set; `change` may return undefined to leave the record unchanged.
   * @returns the record after that; undefined when it does not exist
   */
  update(
    id: string,
    change: (current: EndpointRecord) => EndpointRecord | undefined,
  ): Promise<EndpointRecord | undefined>;
  /** @returns false when the record does not exist */
  remove(id: string): Promise<boolean>;
}

export interface EndpointsOptions {
  records: EndpointRecords;
  webhook(id: string): Webhook | undefined;
  /**
   * Disables a webhook.
   * @returns true when this notice disabled it; false when another one did before, or the webhook is gone
   */
  disable(webhookId: string, notice: Notice): Promise<boolean>;
  /** Announces a notice. The same notice may be announced again, with the same id. */
  announce(webhookId: string, notice: Notice): Promise<void>;
  /** Called on the instance that made the transition. */
  onTransition(webhookId: string, notice: Notice): void;
  onError(error: Error): void;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** Age at which another instance's unannounced notice is taken over. */
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

  /** Returns the record as cached by this instance. */
  get(id: string): EndpointRecord | undefined {
    return this.options.records.get(id);
  }

  /** Reads from the store, not from the cache. */
  async read(id: string): Promise<EndpointRecord | undefined> {
    return this.options.records.read(id);
  }

  async remove(id: string): Promise<void> {
    await this.options.records.remove(id);
  }

  /** @returns the written record; undefined when nothing was written */
  async change(id: string, change: Change): Promise<EndpointRecord | undefined> {
    const { records } = this.options;
    for (let i = 0; i < MAX_CONFLICTS; i++) {
      let next: EndpointRecord | undefined;
      const found = await records.update(id, (current) => {
        next = change(current);
        return next;
      });
      if (found) return next;
      next = change(undefined);
      // A webhook that was removed meanwhile must leave no record.
      if (!next || !this.options.webhook(id)) return undefined;
      if (await records.create(id, next)) return next;
    }
    throw new ConflictError("the endpoint's record is being changed by others");
  }

  /** Makes a change and announces it. @returns as {@link change} */
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

  /** Changes an existing record, and removes the record when it holds nothing more. */
  async settle(id: string, change: (record: EndpointRecord) => EndpointRecord | undefined): Promise<void> {
    const record = await this.change(id, (current) => current && change(current));
    if (record && isOver(record)) await this.remove(id);
  }

  async #announce({ id, notices }: EndpointRecord): Promise<void> {
    for (const notice of notices) {
      if (await this.#happened(id, notice)) await this.options.announce(id, notice);
    }
    const announced = new Set(notices.map((notice) => notice.id));
    const isDisabled = notices.some(({ type }) => type === "webhook.disabled");
    await this.settle(id, (record) => {
      const rest = { ...record, notices: record.notices.filter((notice) => !announced.has(notice.id)) };
      return isDisabled ? healthy(rest) : rest;
    });
  }

  /**
   * Disables the webhook of a `webhook.disabled` notice, and checks that this notice did it: an instance that has not
   * learned yet that another one disabled the webhook would announce that again. Checked each time, since the instance
   * that disabled the webhook may have died before the announcement.
   */
  async #happened(id: string, notice: Notice): Promise<boolean> {
    return notice.type !== "webhook.disabled" || this.options.disable(id, notice);
  }

  /** Cleans up after other instances: removes records of removed webhooks, and announces overdue notices. */
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
