/** Stores the responses to requests, which the receiver has put into their queue. */
import type { Job, Worker } from "bullmq";
import { fromStored, type Message, type StoredMessage } from "../message.ts";

export interface ResponseWorkerOptions {
  openWorker(name: string, processor: (job: Job<StoredMessage>) => Promise<void>, options: object): Worker;
  queue: string;
  requests: {
    /** Handles a response. Rejects if the call must be repeated. */
    answered(message: Message): Promise<void>;
  };
}

/** Responses are stored at once; a failure is retried until it succeeds. */
const WORKER = {
  concurrency: 10,
  lockDuration: 15_000,
  stalledInterval: 10_000,
  maxStalledCount: 1_000_000,
  removeOnComplete: { count: 100 },
  removeOnFail: { count: 100 },
  settings: { backoffStrategy: () => 1_000 },
};

export class ResponseWorker {
  #worker: Worker | undefined;

  constructor(private readonly options: ResponseWorkerOptions) {}

  start(): void {
    const { openWorker, queue, requests } = this.options;
    this.#worker = openWorker(queue, (job) => requests.answered(fromStored(job.id!, job.data)), WORKER);
  }

  async stop(): Promise<void> {
    await this.#worker?.close();
  }
}
