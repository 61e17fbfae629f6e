/**
 * Adds deliveries of ordered webhooks, each with its place in its message group.
 *
 * The steps, and the effect of a crash after each. No message is acknowledged before the last step, so the broker
 * resends the messages afterwards:
 * 1. Take sequence numbers: they are lost, and `sequence` has a gap.
 * 2. Write the group tails: they name deliveries that do not exist. A reader then uses the previous tails, which the
 *    values name as well. If the tails were written last, resent messages would not become successors of the added
 *    deliveries, and a late retry of an old delivery could overtake a new one.
 * 3. Add the jobs, all or none: resent messages become their successors, as duplicates.
 */
import { LRUCache } from "lru-cache";
import type { StoredMessage } from "../../message.ts";
import type { PlacedJob } from "../queue/job.ts";
import {
  byGroup,
  groupTailKey,
  groupTailValue,
  type Ordering,
  parseGroupTail,
  places,
  postponeMs,
} from "./message-groups.ts";

export interface NewJob {
  id: string;
  data: StoredMessage;
}

export interface GroupAppenderOptions {
  webhooks: { get(id: string): { ordering?: Ordering } | undefined };
  queues: {
    /** Adds all jobs or none; an existing id is left unchanged. */
    add(webhookId: string, jobs: PlacedJob[]): Promise<void>;
    /** Adds to the number of deliveries of a webhook and returns the new number. */
    count(webhookId: string, deliveries: number): Promise<number>;
    /** Whether a job with this id exists, in any state. */
    isThere(webhookId: string, id: string): Promise<boolean>;
  };
  tails: {
    /** Stores the value if the key is absent and returns undefined; otherwise returns the existing value. */
    setIfAbsent(key: string, value: string, ttlSeconds: number): Promise<string | undefined>;
    put(key: string, value: string, ttlSeconds: number): Promise<void>;
  };
}

/** Longer than any delivery can take: fifty retries a week apart. An ended delivery releases its group tail. */
const TAIL_SECONDS = 400 * 24 * 3600;
/**
 * Time for which a tail just written need not be read again. It is shorter than the time in which another instance can
 * become the receiver and this one again.
 */
const REMEMBER_MS = 2_000;
const MAX_REMEMBERED = 10_000;

interface Turn {
  jobs: NewJob[];
  placed?: PlacedJob[];
  over: Promise<void>;
  end(): void;
}

export class GroupAppender {
  /** Pending appends per webhook, in arrival order. */
  readonly #turns = new Map<string, Turn[]>();
  /** Last delivery of each message group that was added here recently. */
  readonly #tails = new LRUCache<string, string>({ max: MAX_REMEMBERED, ttl: REMEMBER_MS });

  constructor(private readonly options: GroupAppenderOptions) {}

  /**
   * Adds jobs after all earlier ones; waits while those cannot be added. After a failure the caller must call again
   * with the same array, which keeps its turn. Jobs of an unordered webhook wait only for appends that began while it
   * was ordered.
   */
  async add(webhookId: string, jobs: NewJob[]): Promise<void> {
    if (this.#ordering(webhookId) === "none" && !this.isAdding(webhookId)) {
      return this.options.queues.add(webhookId, jobs);
    }
    const turns = this.#turns.get(webhookId) ?? [];
    this.#turns.set(webhookId, turns);
    const turn = turns.find((known) => known.jobs === jobs) ?? createTurn(jobs);
    if (!turns.includes(turn)) turns.push(turn);
    while (turns[0] !== turn) {
      if (!turns.includes(turn)) return; // the webhook was removed
      await turns[0]!.over;
    }
    // Placed once: a retry must find the same places in jobs that were added although the response was lost.
    turn.placed ??= await this.#place(webhookId, jobs);
    await this.options.queues.add(webhookId, turn.placed);
    for (const { data } of turn.placed) {
      if (data.place?.tail) this.#tails.set(data.place.tail.key, parseGroupTail(data.place.tail.value).last);
    }
    turns.shift();
    turn.end();
    if (turns.length === 0) this.#turns.delete(webhookId);
  }

  /** Whether jobs of this webhook are being added or must be retried. */
  isAdding(webhookId: string): boolean {
    return this.#turns.has(webhookId);
  }

  /** Ends all turns of a removed webhook. */
  forget(webhookId: string): void {
    const turns = this.#turns.get(webhookId);
    this.#turns.delete(webhookId);
    for (const turn of turns?.splice(0) ?? []) turn.end();
  }

  #ordering(webhookId: string): Ordering {
    return this.options.webhooks.get(webhookId)?.ordering ?? "none";
  }

  async #place(webhookId: string, jobs: NewJob[]): Promise<PlacedJob[]> {
    const ordering = this.#ordering(webhookId);
    if (ordering === "none") return jobs; // no longer ordered
    const keyOf = (topic: string) => groupTailKey(webhookId, ordering, topic);
    const last = await this.options.queues.count(webhookId, jobs.length);
    const tails = new Map<string, string>();
    await Promise.all(
      [...byGroup(jobs, keyOf)].map(async ([key, group]) => {
        const before = await this.#extend(webhookId, key, group.at(-1)!.id);
        if (before !== undefined) tails.set(key, before);
      }),
    );
    const found = places(jobs, keyOf, tails, last);
    const added = new Set<string>();
    return jobs.map(({ id, data }) => {
      const place = found.get(id)!;
      const isSuccessor = place.previous !== undefined && added.has(place.previous);
      added.add(id);
      // Postponed only if the predecessor is in this append: an earlier one may have ended, which the worker checks.
      return { id, data: { ...data, place }, ...(isSuccessor && { delay: postponeMs(0) }) };
    });
  }

  /** Makes `last` the tail of a message group. @returns the delivery that was the tail before */
  async #extend(webhookId: string, key: string, last: string): Promise<string | undefined> {
    const { tails, queues } = this.options;
    let before = this.#tails.get(key);
    if (before === undefined) {
      const found = await tails.setIfAbsent(key, groupTailValue(last, undefined), TAIL_SECONDS);
      // The group had no tail, or an earlier attempt wrote this one.
      if (found === undefined || parseGroupTail(found).last === last) return found && parseGroupTail(found).before;
      const tail = parseGroupTail(found);
      before = (await queues.isThere(webhookId, tail.last)) ? tail.last : tail.before;
    }
    await tails.put(key, groupTailValue(last, before), TAIL_SECONDS);
    return before;
  }
}

function createTurn(jobs: NewJob[]): Turn {
  let end = () => {};
  const over = new Promise<void>((resolve) => (end = resolve));
  return { jobs, over, end };
}
