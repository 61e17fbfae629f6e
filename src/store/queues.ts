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

/**
 * Until a worker that could not take a job up asks again. BullMQ waits only after the loss of a connection: after any
 * other error (no memory, no disk) it asks at once, for ever, and with the embedded store nothing else gets a turn.
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

/** BullMQ keeps the message and the stack of what a processor throws with the job. */
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

/** The port's `Queues` over one BullMQ backend. */
export function queuesOn<B extends IQueueBackend, C>(backend: QueueBackend<B, C>): Queues {
  const { queueOptions, workerOptions, onError } = backend;
  const factory = withoutHaste(backend.factory);
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
        keepsClean(processor) as Processor<D, R, string, object>,
        { ...workerOptions, ...options },
        factory,
      );
      worker.on("error", (err) => onError(err, name));
      return worker as unknown as Worker<D, R>;
    },
  };
}
