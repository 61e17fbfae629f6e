import { setTimeout as delay } from "node:timers/promises";
import {
  type BackendFactory,
  type IQueueBackend,
  type Processor,
  Queue,
  type QueueOptions,
  Worker,
  type WorkerOptions,
} from "bullmq";
import { redactInPlace } from "../security/redaction.ts";
import type { Queues } from "./store.ts";

/** Settings that an adapter provides for its queues and workers. */
export interface QueueBackend<B extends IQueueBackend, C> {
  factory: BackendFactory<B, C>;
  /** Passed to every queue. Redis uses different connections for queues and workers. */
  queueOptions: QueueOptions<C>;
  workerOptions: WorkerOptions<C>;
  /** Receives every `error` event of every queue and worker. */
  onError(err: Error, queue: string): void;
}

/**
 * Maximum length of a queue's BullMQ event stream, 10,000 by default. The bridge does not read the stream, so it holds
 * only as many entries as help a person who inspects a queue.
 */
export const EVENT_STREAM_LENGTH = 100;

/**
 * Delay before a worker that failed to fetch a job retries. BullMQ delays only after a lost connection: after any other
 * error (no memory, no disk) it retries at once, forever.
 */
const TAKE_AGAIN_MS = 1_000;

function withoutHaste<B extends IQueueBackend, C>(factory: BackendFactory<B, C>): BackendFactory<B, C> {
  return (name, opts, kind) => {
    const backend = factory(name, opts, kind);
    const take = backend.moveToActive.bind(backend);
    backend.moveToActive = async (...args) => {
      try {
        return await take(...args);
      } catch (error) {
        await delay(TAKE_AGAIN_MS, undefined, { ref: false });
        throw error;
      }
    };
    return backend;
  };
}

/** Redacts errors thrown by a processor: BullMQ stores their message and stack with the job. */
function keepsClean<D, R>(processor: Processor<D, R>): Processor<D, R> {
  return async (...args) => {
    try {
      return await processor(...args);
    } catch (error) {
      redactInPlace(error);
      throw error;
    }
  };
}

/** Creates the port's `Queues` on a BullMQ backend. */
export function queuesOn<B extends IQueueBackend, C>(backend: QueueBackend<B, C>): Queues {
  const { queueOptions, workerOptions, onError } = backend;
  const factory = withoutHaste(backend.factory);
  return {
    queue<D, R>(name: string, options: Omit<QueueOptions, "connection"> = {}) {
      const queue = new Queue<D, R, string, D, R, string, B, C>(name, { ...queueOptions, ...options }, factory);
      queue.on("error", (err) => onError(err, name));
      // The port uses BullMQ's default types; the backend type appears only in `getBackend()`, which is never called.
      return queue as unknown as Queue<D, R>;
    },
    worker<D, R>(name: string, processor: Processor<D, R>, options: Omit<WorkerOptions, "connection"> = {}) {
      const worker = new Worker<D, R, string, B, object, C>(
        name,
        keepsClean(processor) as Processor<D, R, string, object>,
        { ...workerOptions, ...options },
        factory,
      );
      worker.on("error", (err) => onError(err, name));
      return worker as unknown as Worker<D, R>;
    },
  };
}
