/**
 * Keeps the broker's subscriptions and the router in step with the registrations: subscribes and unsubscribes only the
 * difference. An assignment is stored before its SUBSCRIBE and removed after its UNSUBACK, so a crash at any point
 * leaves no unknown subscription at the broker.
 */

import { AwaitableCondition } from "../../lib/awaitable-condition.ts";
import type { QoS } from "../../message.ts";
import { topicFilterError } from "../../topic.ts";
import { type Copy, Router } from "./router.ts";
import type { Refusal, Session, SessionCallbacks } from "./session.ts";
import { type Assignment, planSubscriptions, wantedFilters } from "./session-plan.ts";

/** Stored assignments, by filter. */
export interface AssignmentRecords {
  all(): Promise<{ id: string; value: Assignment; version: number }[]>;
  create(filter: string, assignment: Assignment): Promise<boolean>;
  replace(filter: string, assignment: Assignment, version: number): Promise<boolean>;
  remove(filter: string): Promise<boolean>;
}

export interface SubscriptionsOptions<S extends Session> {
  webhooks(): Iterable<{ id: string; topics: string[]; qos: QoS }>;
  records: AssignmentRecords;
  /** @param router routes the messages of the session */
  openSession(callbacks: SessionCallbacks, router: Pick<Subscriptions<S>, "route">): S;
  onError(error: Error): void;
  /** {@link Subscriptions.inStep} or {@link Subscriptions.connected} may have changed. */
  onChange?(): void;
}

const RETRY_MS = 1_000;

export class Subscriptions<S extends Session> {
  readonly sessions: S[] = [];
  /** The stored assignments. */
  #assigned = new Map<string, Assignment & { version: number }>();
  /** Filters still to be unsubscribed, by session. */
  readonly #leaving = new Map<number, Set<string>>();
  /** Filters passed to {@link Session.leave}: the broker may have unsubscribed them already. */
  readonly #told = new Set<string>();
  #router = new Router([], new Map());
  /** Filters per webhook in the current router, and whether that router includes the old filters of a transition. */
  #topics = new Map<string, string[]>();
  #inTransition = false;
  /** The highest subscription identifier that this process has read or used. */
  #usedId = 0;
  /** Former filters per webhook that the broker may not have unsubscribed yet. */
  readonly #before = new Map<string, Set<string>>();
  readonly #untilInStep = new AwaitableCondition(() => this.inStep);
  #copiesCarryIds: boolean | undefined;
  #dirty = false;
  #running = false;
  #stopped = false;
  #retry: NodeJS.Timeout | undefined;

  constructor(private readonly options: SubscriptionsOptions<S>) {}

  /**
   * Opens the sessions of stored assignments, and always the first. The router is ready before them: queued messages
   * arrive right after CONNACK.
   */
  async start(): Promise<void> {
    await this.#read();
    if (this.#stopped) return;
    this.#route(this.options.webhooks(), this.#assigned, false);
    this.#open([...this.#assigned.values()].reduce((max, { session }) => Math.max(max, session), 0));
    this.refresh();
  }

  /** Call whenever a registration was added, changed or removed. */
  refresh(): void {
    this.#dirty = true;
    if (this.#running || this.#stopped) return;
    this.#running = true;
    void this.#reconcile().finally(() => {
      this.#running = false;
      if (this.#dirty && !this.#retry) this.refresh();
      this.#look();
    });
  }

  get connected(): boolean {
    return this.sessions.length > 0 && this.sessions.every(({ connected }) => connected);
  }

  /** Whether the subscriptions match the registrations; false while the broker is unavailable. */
  get inStep(): boolean {
    const isDone = !this.#dirty && !this.#running && !this.#inTransition && this.#copiesCarryIds !== undefined;
    return isDone && this.sessions.every(({ settled }) => settled);
  }

  /** Filters that the broker refuses. They do not affect {@link inStep}. */
  get refused(): Refusal[] {
    return this.sessions.flatMap(({ status }) => status?.refused ?? []);
  }

  /** Resolves true once in step, or false after `timeoutMs`, since the broker may be unavailable. */
  untilInStep(timeoutMs: number): Promise<boolean> {
    return this.#untilInStep.within(timeoutMs);
  }

  /** See {@link Router.route}. */
  route(topic: string, copy: Copy): string[] | undefined {
    return this.#router.route(topic, copy);
  }

  /** See {@link Session.drain}. Only {@link stop} may follow. */
  async drain(): Promise<void> {
    await Promise.all(this.sessions.map((session) => session.drain()));
  }

  /** See {@link Session.close}. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    await Promise.all(this.sessions.map((session) => session.close()));
  }

  #look(): void {
    this.#untilInStep.check();
    this.options.onChange?.();
  }

  async #read(): Promise<void> {
    const records = await this.options.records.all();
    const usable: typeof records = [];
    for (const record of records) {
      this.#usedId = Math.max(this.#usedId, record.value.id);
      // An older version stored this invalid filter; its UNSUBSCRIBE would end the connection, too.
      if (topicFilterError(record.id)) await this.options.records.remove(record.id);
      else usable.push(record);
    }
    this.#assigned = new Map(usable.map(({ id, value, version }) => [id, { ...value, version }]));
  }

  #open(index: number): void {
    while (this.sessions.length <= index) {
      const next = this.sessions.length;
      this.sessions.push(
        this.options.openSession(
          {
            index: next,
            onConnect: (copiesCarryIds) => {
              if (next !== 0 || this.#copiesCarryIds === copiesCarryIds) return;
              this.#copiesCarryIds = copiesCarryIds;
              this.refresh();
            },
            onSettled: () => this.#settle(),
            onUnsubscribed: (filter) => void this.#left(next, filter),
            onClose: () => this.#look(),
          },
          this,
        ),
      );
    }
  }

  async #reconcile(): Promise<void> {
    while (this.#dirty && !this.#stopped) {
      this.#dirty = false;
      if (this.#copiesCarryIds === undefined) return; // the first connect calls refresh()
      try {
        await this.#follow(this.#copiesCarryIds);
      } catch (error) {
        this.options.onError(error as Error);
        this.#dirty = true;
        this.#retry = setTimeout(() => {
          this.#retry = undefined;
          this.refresh();
        }, RETRY_MS).unref();
        return;
      }
    }
  }

  async #follow(copiesCarryIds: boolean): Promise<void> {
    const webhooks = [...this.options.webhooks()];
    const wanted = wantedFilters(webhooks);
    const past = this.#pastFor(wanted);
    const filters = [...wanted.keys()];
    const replaces = (filter: string, old: string) =>
      webhooks.some(({ id, topics }) => topics.includes(filter) && this.#hadBefore(id, old));
    const { assignments, stale } = planSubscriptions(filters, past, copiesCarryIds, this.#usedId, replaces);
    for (const { id } of assignments.values()) this.#usedId = Math.max(this.#usedId, id);
    // Before the first await: an UNSUBACK that arrives meanwhile must not remove a filter that is wanted again.
    for (const [filter, { session }] of assignments) {
      this.#leaving.get(session)?.delete(filter);
      this.#told.delete(filter);
    }
    await Promise.all([...assignments].map(([filter, assignment]) => this.#writeDown(filter, assignment)));
    for (const { filter, session } of stale) this.#leave(session, filter);

    // The router first: messages of a new subscription must find their webhook. The old filters of a webhook stay
    // active until the broker has granted its new ones, so that a change loses no message.
    const before = new Map(stale.map(({ filter }) => [filter, this.#assigned.get(filter)!]));
    this.#inTransition = true;
    this.#route(webhooks, new Map([...before, ...assignments]), true);
    const highest = [...assignments.values(), ...stale].reduce((max, { session }) => Math.max(max, session), 0);
    this.#open(highest);
    for (const [index, session] of this.sessions.entries()) {
      const here = [...assignments].filter(([, assignment]) => assignment.session === index);
      session.want(here.map(([filter, { id }]) => ({ filter, qos: wanted.get(filter)!, id })));
    }
  }

  /**
   * Returns the assignments without filters that are wanted again while their UNSUBSCRIBE may be in progress. Such
   * filters get new identifiers: with its old identifier, a filter would count as the oldest of its webhook, and
   * messages for the other filters would count as further copies, although the broker sends none for this filter until
   * it is subscribed again.
   */
  #pastFor(wanted: ReadonlyMap<string, QoS>): ReadonlyMap<string, Assignment> {
    return new Map([...this.#assigned].filter(([filter]) => !(wanted.has(filter) && this.#told.has(filter))));
  }

  #hadBefore(webhookId: string, filter: string): boolean {
    const isRouted = this.#topics.get(webhookId)?.includes(filter) ?? false;
    return isRouted || (this.#before.get(webhookId)?.has(filter) ?? false);
  }

  #route(
    webhooks: Iterable<{ id: string; topics: string[] }>,
    assignments: ReadonlyMap<string, Assignment>,
    keepOld: boolean,
  ): void {
    const routes = [...webhooks].map(({ id, topics }) => {
      const all = keepOld ? [...new Set([...topics, ...(this.#topics.get(id) ?? [])])] : topics;
      return { webhookId: id, topics: all, leaving: this.#stillComing(id).filter((filter) => !all.includes(filter)) };
    });
    this.#router = new Router(routes, assignments);
    this.#topics = new Map(routes.map(({ webhookId, topics }) => [webhookId, topics]));
  }

  /**
   * Once all filters are granted, every later message of a session has its copy for the new filters. If these are in
   * another session, which may be ahead, an old filter counts until its UNSUBACK.
   */
  #stillComing(webhookId: string): string[] {
    if (this.#copiesCarryIds) return [];
    return [...(this.#before.get(webhookId) ?? [])].filter((filter) => this.#told.has(filter));
  }

  /**
   * Ends the transition once the broker has granted everything: the old filters of changed webhooks are then unneeded.
   */
  #settle(): void {
    if (!this.sessions.every(({ settled }) => settled)) return;
    if (this.#inTransition) this.#endTransition();
    this.#look();
  }

  #endTransition(): void {
    this.#inTransition = false;
    for (const filters of this.#leaving.values()) for (const filter of filters) this.#told.add(filter);
    for (const [id, topics] of this.#topics) {
      const coming = topics.filter((filter) => this.#told.has(filter));
      if (coming.length > 0) this.#before.set(id, new Set([...(this.#before.get(id) ?? []), ...coming]));
    }
    this.#route(this.options.webhooks(), this.#assigned, false);
    for (const [index, filters] of this.#leaving) this.sessions[index]?.leave([...filters]);
  }

  async #writeDown(filter: string, assignment: Assignment): Promise<void> {
    const known = this.#assigned.get(filter);
    if (known && known.session === assignment.session && known.id === assignment.id) return;
    const { version = 0, ...before } = known ?? {};
    const next = { ...before, session: assignment.session, id: assignment.id };
    const { records } = this.options;
    const written = await (known ? records.replace(filter, next, version) : records.create(filter, next));
    if (!written) {
      // Another instance was the receiver in between, or still believes it is: the stored assignments decide.
      await this.#read();
      throw new Error(`the assignment of ${filter} was changed by another instance`);
    }
    this.#assigned.set(filter, { ...next, version: version + 1 });
  }

  #leave(session: number, filter: string): void {
    const leaving = this.#leaving.get(session) ?? new Set();
    this.#leaving.set(session, leaving.add(filter));
  }

  async #left(session: number, filter: string): Promise<void> {
    if (this.#stopped || !this.#leaving.get(session)?.delete(filter)) return;
    // The filter may have been assigned again, or to another session: then its record stays.
    if (this.#assigned.get(filter)?.session !== session) return;
    this.#assigned.delete(filter);
    this.#told.delete(filter);
    for (const [id, filters] of this.#before) if (filters.delete(filter) && filters.size === 0) this.#before.delete(id);
    if (!this.#inTransition) this.#route(this.options.webhooks(), this.#assigned, false);
    await this.options.records.remove(filter).catch((error: Error) => this.options.onError(error));
  }
}
