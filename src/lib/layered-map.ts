/**
 * Immutable map for many entries, in the order of a `Map`: a change copies only the latest changes. A copy of 10,000
 * entries takes about 1 ms, which is too long to do for each of 10,000 changes.
 */

/** Number of changes after which they are merged into a new base. */
const MAX_CHANGES = 128;

export class LayeredMap<V> implements Iterable<[key: string, value: V]> {
  static empty(): LayeredMap<never> {
    return new LayeredMap(new Map<string, never>(), new Map<string, never>(), new Set(), 0);
  }

  private constructor(
    private readonly base: ReadonlyMap<string, V>,
    /** Entries that were added or replaced since. */
    private readonly changed: ReadonlyMap<string, V>,
    /** Keys of the base that were removed since; those that were added again are among the changed ones. */
    private readonly removed: ReadonlySet<string>,
    readonly size: number,
  ) {}

  has(key: string): boolean {
    return this.changed.has(key) || this.#isInBase(key);
  }

  get(key: string): V | undefined {
    if (this.changed.has(key)) return this.changed.get(key);
    return this.#isInBase(key) ? this.base.get(key) : undefined;
  }

  with(key: string, value: V): LayeredMap<V> {
    const size = this.has(key) ? this.size : this.size + 1;
    return new LayeredMap(this.base, new Map(this.changed).set(key, value), this.removed, size).#merged();
  }

  without(key: string): LayeredMap<V> {
    if (!this.has(key)) return this;
    const changed = new Map(this.changed);
    changed.delete(key);
    const removed = this.#isInBase(key) ? new Set(this.removed).add(key) : this.removed;
    return new LayeredMap(this.base, changed, removed, this.size - 1).#merged();
  }

  *[Symbol.iterator](): Generator<[key: string, value: V]> {
    for (const [key, value] of this.base) {
      if (!this.removed.has(key)) yield [key, this.changed.has(key) ? this.changed.get(key)! : value];
    }
    for (const entry of this.changed) if (!this.#isInBase(entry[0])) yield entry;
  }

  #isInBase(key: string): boolean {
    return this.base.has(key) && !this.removed.has(key);
  }

  #merged(): LayeredMap<V> {
    if (this.changed.size + this.removed.size <= MAX_CHANGES) return this;
    return new LayeredMap(new Map(this), new Map(), new Set(), this.size);
  }
}
