import type { Queue, Worker } from "bullmq";
import type { Store } from "../../src/store/store.ts";

/** A list that tests can await, so that they need not sleep. */
export class Seen<T> {
  readonly items: T[] = [];
  #wake = () => {};

  add(item: T): void {
    this.items.push(item);
    this.#wake();
  }

  async until(length: number): Promise<T[]> {
    while (this.items.length < length) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.items;
  }
}

/** Provides a queue and workers that close when the test ends. */
export async function withQueue<D>(
  store: Store,
  name: string,
  run: (queue: Queue<D>, work: Store["queues"]["worker"]) => Promise<void>,
): Promise<void> {
  const queue = store.queues.queue<D>(name);
  const workers: Worker[] = [];
  const work: Store["queues"]["worker"] = (of, processor, options) => {
    const worker = store.queues.worker(of, processor, options);
    workers.push(worker as unknown as Worker);
    return worker;
  };
  try {
    await run(queue, work);
  } finally {
    await Promise.all(workers.map((worker) => worker.close()));
    await queue.close();
  }
}
