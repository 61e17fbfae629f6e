/**
 * Adds deliveries of ordered webhooks, each with its place.
 *
 * The steps, and what a crash after each leaves behind. Nothing is acknowledged before the last, so the broker sends
 * the messages again afterwards:
 * 1. Take numbers: they are lost, and `sequence` has a gap.
 * 2. Write the tails: they name deliveries that are not there; the reader then goes by the ones before them, which the
 *    tails name as well. Had the tails been written last, what comes again would not stand behind what was added, and
 *    a late retry of the old could overtake the new.
 * 3. Add the jobs, all or none: what comes again stands behind them, as a repetition.
 */
import type { StoredMessage } from "../../message.ts";
import type { Place, PlacedJob } from "../queue/job.ts";
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
  ordering(webhookId: string): Ordering;
  /** Adds all or none; an id that is there already is left as it is. */
  addJobs(webhookId: string, jobs: PlacedJob[]): Promise<void>;
  /** Adds to the number of deliveries of a webhook and answers the new number. */
  count(webhookId: string, deliveries: number): Promise<number>;
  /** Whether there is a job with this id, in whatever state. */
  isThere(webhookId: string, id: string): Promise<boolean>;
  tails: {
    /** Stores the value if the key is free, and answers undefined; otherwise answers the value that is there. */
    setIfAbsent(key: string, value: string, ttlSeconds: number): Promise<string | undefined>;
    put(key: string, value: string, ttlSeconds: number): Promise<void>;
  };
}

/** Longer than any delivery can take: fifty retries a week apart. Ended deliveries take their tails with them. */
const TAIL_SECONDS = 400 * 24 * 3600;
/**
 * A tail that was written just now need not be read again. Not for long: another instance may take over the
 * subscription, and this one get it back. That takes longer than this.
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
  /** Of each webhook those that are being added, in the order of their coming. */
  readonly #turns = new Map<string, Turn[]>();
  readonly #tails = new Map<string, { last: string; at: number }>();

  constructor(private readonly options: GroupAppenderOptions) {}

  /**
   * Adds jobs behind all that came before; waits while those cannot be added. After a failure it must be called again
   * with the same array, and keeps its turn. Those of a webhook without an order wait only for what began with one.
   */
  async add(webhookId: string, jobs: NewJob[]): Promise<void> {
    if (this.options.ordering(webhookId) === "none" && !this.isAdding(webhookId)) {
      return this.options.addJobs(webhookId, jobs);
    }
    const turns = this.#turns.get(webhookId) ?? [];
    this.#turns.set(webhookId, turns);
    const turn = turns.find((known) => known.jobs === jobs) ?? createTurn(jobs);
    if (!turns.includes(turn)) turns.push(turn);
    while (turns[0] !== turn) {
      if (!turns.includes(turn)) return; // the webhook is gone
      await turns[0]!.over;
    }
    // Once only: a retry must find the same places in what may have been added without our hearing of it.
    turn.placed ??= await this.#place(webhookId, jobs);
    await this.options.addJobs(webhookId, turn.placed);
    const at = Date.now();
    for (const { data } of turn.placed) if (data.place?.tail) this.#remember(data.place.tail, at);
    turns.shift();
    turn.end();
    if (turns.length === 0) this.#turns.delete(webhookId);
  }

  /** Whether jobs of this webhook are being added, or must be tried again. */
  isAdding(webhookId: string): boolean {
    return this.#turns.has(webhookId);
  }

  /** A webhook is gone: nothing waits for its turn any more. */
  forget(webhookId: string): void {
    const turns = this.#turns.get(webhookId);
    this.#turns.delete(webhookId);
    for (const turn of turns?.splice(0) ?? []) turn.end();
  }

  async #place(webhookId: string, jobs: NewJob[]): Promise<PlacedJob[]> {
    const ordering = this.options.ordering(webhookId);
    if (ordering === "none") return jobs; // since it began
    const keyOf = (topic: string) => groupTailKey(webhookId, ordering, topic);
    const last = await this.options.count(webhookId, jobs.length);
    const tails = new Map<string, string>();
    await Promise.all(
      [...byGroup(jobs, keyOf)].map(async ([key, line]) => {
        const before = await this.#extend(webhookId, key, line.at(-1)!.id);
        if (before !== undefined) tails.set(key, before);
      }),
    );
    const found = places(jobs, keyOf, tails, last);
    const added = new Set<string>();
    return jobs.map(({ id, data }) => {
      const place = found.get(id)!;
      const isBehind = place.previous !== undefined && added.has(place.previous);
      added.add(id);
      // What stands behind an earlier one may find that one ended: whoever takes it up looks.
      return { id, data: { ...data, place }, ...(isBehind && { delay: postponeMs(0) }) };
    });
  }

  /** Makes `last` the tail of a line. @returns the delivery that was last before */
  async #extend(webhookId: string, key: string, last: string): Promise<string | undefined> {
    const { tails, isThere } = this.options;
    const remembered = this.#tails.get(key);
    let before = remembered && Date.now() - remembered.at < REMEMBER_MS ? remembered.last : undefined;
    if (before === undefined) {
      const found = await tails.setIfAbsent(key, groupTailValue(last, undefined), TAIL_SECONDS);
      // Nobody waits in this line; or a try before this one got as far as this.
      if (found === undefined || parseGroupTail(found).last === last) return found && parseGroupTail(found).before;
      const tail = parseGroupTail(found);
      before = (await isThere(webhookId, tail.last)) ? tail.last : tail.before;
    }
    await tails.put(key, groupTailValue(last, before), TAIL_SECONDS);
    return before;
  }

  #remember({ key, value }: NonNullable<Place["tail"]>, at: number): void {
    this.#tails.delete(key);
    this.#tails.set(key, { last: parseGroupTail(value).last, at });
    if (this.#tails.size > MAX_REMEMBERED) this.#tails.delete(this.#tails.keys().next().value!);
  }
}

function createTurn(jobs: NewJob[]): Turn {
  let end = () => {};
  const over = new Promise<void>((resolve) => (end = resolve));
  return { jobs, over, end };
}
