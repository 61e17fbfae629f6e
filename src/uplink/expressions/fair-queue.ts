/** Credit of an idle key: enough that a quick key waits only for the running task. */
const SAVED_MS = 1_000;

/**
 * Fair queue of tasks by key. Keys take turns, and a key that used more process time waits for one that used less. The
 * tasks of a key stay in order.
 */
export class FairQueue<T> {
  /** No list is empty; among keys with equal use the first one is next. */
  readonly #waiting = new Map<string, T[]>();
  /** Used milliseconds by key; absent: 0. */
  readonly #used = new Map<string, number>();

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  count(key: string): number {
    return this.#waiting.get(key)?.length ?? 0;
  }

  put(key: string, item: T, isFirst = false): void {
    const items = this.#waiting.get(key);
    if (!items) {
      this.#open(key);
      this.#waiting.set(key, [item]);
    } else if (isFirst) items.unshift(item);
    else items.push(item);
  }

  next(): T | undefined {
    const key = this.#nextKey();
    if (key === undefined) return undefined;
    const items = this.#waiting.get(key)!;
    this.#waiting.delete(key);
    if (items.length > 1) this.#waiting.set(key, items);
    return items.shift();
  }

  charge(key: string, ms: number): void {
    this.#used.set(key, this.#usedBy(key) + ms);
  }

  /** Removes and returns all tasks of a key. */
  take(key: string): T[] {
    const items = this.#waiting.get(key) ?? [];
    this.#waiting.delete(key);
    return items;
  }

  takeAll(): T[] {
    const items = [...this.#waiting.values()].flat();
    this.#waiting.clear();
    return items;
  }

  /** Used time counts only while other keys wait, and an idle key gains little credit. */
  #open(key: string): void {
    if (this.#used.size === 0) return;
    const rival = this.#nextKey();
    if (rival === undefined) this.#used.clear();
    else this.#used.set(key, Math.max(this.#usedBy(key), this.#usedBy(rival) - SAVED_MS));
  }

  #nextKey(): string | undefined {
    let [next, least] = [undefined as string | undefined, Number.POSITIVE_INFINITY];
    for (const key of this.#waiting.keys()) {
      const used = this.#usedBy(key);
      if (used < least) [next, least] = [key, used];
      if (used === 0) break;
    }
    return next;
  }

  #usedBy(key: string): number {
    return this.#used.get(key) ?? 0;
  }
}
