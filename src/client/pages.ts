/** Lists: iterate over all items, or take one page. */

/** A page of a list. `nextCursor` is the `after` of the next page; null on the last one. */
export interface Page<T> {
  items: T[];
  nextCursor: string | null;
}

/** `for await (const item of list)` loads page after page as it goes; `list.page()` loads one. */
export class PageList<T, P extends Page<T> = Page<T>> implements AsyncIterable<T> {
  readonly #load: (after: string | undefined) => Promise<P>;
  readonly #after: string | undefined;

  constructor(after: string | undefined, load: (after: string | undefined) => Promise<P>) {
    this.#after = after;
    this.#load = load;
  }

  /** Loads the page that the list starts with. */
  page(): Promise<P> {
    return this.#load(this.#after);
  }

  async *pages(): AsyncGenerator<P, void, undefined> {
    let after: string | null | undefined = this.#after;
    do {
      const page: P = await this.#load(after);
      yield page;
      after = page.nextCursor;
    } while (after !== null);
  }

  /** A page may be short or empty, so only the cursor tells the end. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for await (const { items } of this.pages()) yield* items;
  }
}
