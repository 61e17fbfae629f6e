import {
  type BackendFactory,
  type IQueueBackend,
  type Processor,
  Queue,
  type QueueOptions,
  Worker,
  type WorkerOptions,
} from "bullmq";
import type { Queues } from "./store.ts";

/** What an adapter decides about the queues it makes. */
export interface QueueBackend<B extends IQueueBackend, C> {
  factory: BackendFactory<B, C>;
  /** Given to both; for Redis these are different connections. */
  queueOptions: QueueOptions<C>;
  workerOptions: WorkerOptions<C>;
  /** Every `error` event of every queue and worker. */
  onError(err: Error, queue: string): void;
}

/**
 * BullMQ's event stream of a queue holds 10,000 entries by default. Nobody here reads it, so it is kept as short as
 * is still useful to a person looking at a queue.
 */
export const EVENT_STREAM_LENGTH = 100;

/** The port's `Queues` over one BullMQ backend. */
export function queuesOn<B extends IQueueBackend, C>(backend: QueueBackend<B, C>): Queues {
  const { factory, queueOptions, workerOptions, onError } = backend;
  return {
    queue<D, R>(name: string, options: Omit<QueueOptions, "connection"> = {}) {
      const queue = new Queue<D, R, string, D, R, string, B, C>(name, { ...queueOptions, ...options }, factory);
      queue.on("error", (err) => onError(err, name));
      // The port names BullMQ's default types; the backend type shows only in `getBackend()`, which nobody calls.
      return queue as unknown as Queue<D, R>;
    },
    worker<D, R>(name: string, processor: Processor<D, R>, options: Omit<WorkerOptions, "connection"> = {}) {
      const worker = new Worker<D, R, string, B, object, C>(
        name,
        processor as Processor<D, R, string, object>,
        { ...workerOptions, ...options },
        factory,
      );
      worker.on("error", (err) => onError(err, name));
      return worker as unknown as Worker<D, R>;
    },
  };
}
