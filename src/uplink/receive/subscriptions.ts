/**
 * Keeps the broker's subscriptions and the router in line with the registrations: passes events to the reducer in
 * {@link ./reconciliation.ts} and performs its actions on the sessions and the store.
 */

import { AwaitableCondition } from "../../lib/awaitable-condition.ts";
import { topicFilterError } from "../../topic.ts";
import { reduce } from "./reconciliation/reconciliation.ts";
import {
  type Action,
  type Event,
  INITIAL,
  isReconciled,
  type ReadAssignments,
  type Registration,
  type StoredAssignment,
  type Write,
} from "./reconciliation/reconciliation-state.ts";
import type { Assignment } from "./reconciliation/session-plan.ts";
import { type Copy, Router } from "./router.ts";
import type { Refusal, Session, SessionCallbacks } from "./session.ts";

/** Stored assignments, by filter. */
export interface AssignmentRecords {
  all(): Promise<{ id: string; value: Assignment; version: number }[]>;
  create(filter: string, assignment: Assignment): Promise<boolean>;
  replace(filter: string, assignment: Assignment, version: number): Promise<boolean>;
  remove(filter: string): Promise<boolean>;
}

export interface SubscriptionsOptions<S extends Session> {
  webhooks(): Iterable<Registration>;
  records: AssignmentRecords;
  /** @param router routes the messages of the session */
  openSession(callbacks: SessionCallbacks, router: Pick<Subscriptions<S>, "route">): S;
  onError(error: Error): void;
  /** {@link Subscriptions.isSynchronized} or {@link Subscriptions.connected} may have changed. */
  onChange?(): void;
}

const RETRY_MS = 1_000;

export class Subscriptions<S extends Session> {
  readonly sessions: S[] = [];
  #state = INITIAL;
  #router = new Router([], new Map());
  readonly #events: Event[] = [];
  #isReducing = false;
  readonly #untilSynchronized = new AwaitableCondition(() => this.isSynchronized);
  #stopped = false;
  #retry: NodeJS.Timeout | undefined;

  constructor(private readonly options: SubscriptionsOptions<S>) {}

  /** Opens the sessions of stored assignments, and always the first. Rejects while the store cannot be read. */
  async start(): Promise<void> {
    const read = await this.#read();
    this.#dispatch({ type: "started", webhooks: [...this.options.webhooks()], read });
  }

  /** Call whenever a registration was added, changed or removed. */
  refresh(): void {
    this.#dispatch({ type: "refreshed", webhooks: [...this.options.webhooks()] });
  }

  get connected(): boolean {
    return this.sessions.length > 0 && this.sessions.every(({ connected }) => connected);
  }

  /** Whether the subscriptions match the registrations; false while the broker is unavailable. */
  get isSynchronized(): boolean {
    return isReconciled(this.#state) && this.#isSettled;
  }

  /** Filters that the broker refuses. They do not affect {@link isSynchronized}. */
  get refused(): Refusal[] {
    return this.sessions.flatMap(({ status }) => status?.refused ?? []);
  }

  /** Resolves true once synchronized, or false after `timeoutMs`, since the broker may be unavailable. */
  untilSynchronized(timeoutMs: number): Promise<boolean> {
    return this.#untilSynchronized.within(timeoutMs);
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

  get #isSettled(): boolean {
    return this.sessions.every(({ settled }) => settled);
  }

  /** A session may call back while an action on it is performed: its event then waits for the remaining actions. */
  #dispatch(event: Event): void {
    this.#events.push(event);
    if (this.#isReducing) return;
    this.#isReducing = true;
    try {
      for (let next = this.#events.shift(); next && !this.#stopped; next = this.#events.shift()) {
        const [state, actions] = reduce(this.#state, next);
        this.#state = state;
        for (const action of actions) this.#perform(action);
      }
    } finally {
      this.#isReducing = false;
    }
    if (!this.#stopped) this.#check();
  }

  #check(): void {
    this.#untilSynchronized.check();
    this.options.onChange?.();
  }

  #perform(action: Action): void {
    switch (action.type) {
      case "store":
        return void this.#store(action.writes);
      case "retryLater":
        clearTimeout(this.#retry);
        this.#retry = setTimeout(() => this.#dispatch({ type: "retried" }), RETRY_MS).unref();
        return;
      case "route":
        this.#router = new Router(action.routes, action.assignments);
        return;
      case "open":
        while (this.sessions.length < action.sessions) this.sessions.push(this.#open(this.sessions.length));
        return;
      case "want":
        this.sessions[action.session]!.want(action.subscriptions);
        return;
      case "leave":
        this.sessions[action.session]!.leave(action.filters);
        return;
      case "removeRecord":
        return void this.options.records.remove(action.filter).catch(this.options.onError);
    }
  }

  #open(index: number): S {
    const callbacks: SessionCallbacks = {
      index,
      onConnect: (copiesCarryIds) => {
        if (index === 0) this.#dispatch({ type: "connected", copiesCarryIds });
      },
      onSettled: () => {
        if (this.#isSettled) this.#dispatch({ type: "settled" });
      },
      onUnsubscribed: (filter) => this.#dispatch({ type: "unsubscribed", session: index, filter }),
      onClose: () => this.#check(),
    };
    return this.options.openSession(callbacks, this);
  }

  async #read(): Promise<ReadAssignments> {
    const assignments = new Map<string, StoredAssignment>();
    let usedId = 0;
    for (const { id: filter, value, version } of await this.options.records.all()) {
      usedId = Math.max(usedId, value.id);
      // An older version stored this invalid filter; its UNSUBSCRIBE would end the connection, too.
      if (topicFilterError(filter)) await this.options.records.remove(filter);
      else assignments.set(filter, { ...value, version });
    }
    return { assignments, usedId };
  }

  async #store(writes: Write[]): Promise<void> {
    const written = new Map<string, StoredAssignment>();
    let failure: Error | undefined;
    let read: ReadAssignments | undefined;
    const write = async ({ filter, assignment, known }: Write) => {
      const { version = 0, ...before } = known ?? {};
      const next = { ...before, ...assignment };
      const { records } = this.options;
      const isWritten = await (known ? records.replace(filter, next, version) : records.create(filter, next));
      if (isWritten) written.set(filter, { ...next, version: version + 1 });
      // Another instance was the receiver in between, or still believes it is: the stored assignments decide.
      else read = await this.#read();
      if (!isWritten) throw new Error(`the assignment of ${filter} was changed by another instance`);
    };
    await Promise.all(
      writes.map((one) =>
        write(one).catch((error: Error) => {
          failure ??= error;
        }),
      ),
    );
    if (failure) this.options.onError(failure);
    this.#dispatch({ type: "stored", written, failed: failure !== undefined, ...(read && { read }) });
  }
}
