import type { Thread } from "../engine/thread.ts";

/** Numbers reserved in the file at a time. A restart skips the rest of the block. */
const BLOCK = 10_000;

/** Growing numbers that stay unique and in order across restarts, whatever the clock does. */
export class Sequence {
  readonly #db: Thread["db"];
  #next = 1;
  #reserved = 0;

  constructor(thread: Thread) {
    this.#db = thread.db;
    this.#next = this.#stored();
    // A reservation that is undone is made again; the numbers in use stay above it.
    thread.hooks.push({
      afterRollback: () => {
        this.#reserved = 0;
      },
    });
  }

  next(): number {
    if (this.#next >= this.#reserved) {
      this.#reserved = Math.max(this.#next, this.#stored()) + BLOCK;
      this.#db.run("INSERT OR REPLACE INTO bullmq_property VALUES ('sequence', ?)", [this.#reserved]);
    }
    return this.#next++;
  }

  #stored(): number {
    return this.#db.value<number>("SELECT value FROM bullmq_property WHERE name = 'sequence'") ?? 1;
  }
}
