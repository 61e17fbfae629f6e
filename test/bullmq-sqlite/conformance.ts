/** Runs the same tests against BullMQ's Redis backend and the SQLite backend, through BullMQ's public classes. */
import { once } from "node:events";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import {
  FlowProducer,
  Job,
  type Processor,
  Queue,
  QueueEvents,
  type QueueEventsOptions,
  type QueueOptions,
  Worker,
  type WorkerOptions,
} from "bullmq";
import { createSqliteBackend, SqliteConnection } from "../../src/bullmq-sqlite/index.ts";
import { temporaryDirectory } from "../support/directories.ts";
import { redisInstalled, startRedis } from "../support/redis.ts";

type Without<T> = Omit<T, "connection">;

interface Closable {
  close(force?: boolean): Promise<void>;
}

/** One backend, open, with a queue name of its own for each test. */
export class World {
  readonly #connection: object;
  readonly #factory: never | undefined;
  #open: Closable[] = [];
  #number = 0;

  constructor(connection: object, factory?: unknown) {
    this.#connection = connection;
    this.#factory = factory as never;
  }

  get name(): string {
    return `queue-${this.#number}`;
  }

  queue(options: Without<QueueOptions> = {}, name = this.name): Queue {
    return this.#track(new Queue(name, { ...options, connection: this.#connection as never }, this.#factory));
  }

  worker(processor: Processor, options: Without<WorkerOptions> = {}, name = this.name): Worker {
    const worker = new Worker(name, processor, { ...options, connection: this.#connection as never }, this.#factory);
    worker.on("error", () => {});
    return this.#track(worker);
  }

  /** A worker that takes no jobs by itself: for tests that move jobs by hand. */
  handWorker(options: Without<WorkerOptions> = {}, name = this.name): Worker {
    const worker = new Worker(
      name,
      null,
      { ...options, autorun: false, connection: this.#connection as never },
      this.#factory,
    );
    worker.on("error", () => {});
    return this.#track(worker);
  }

  /** Reads the events from the first one on. */
  events(options: Partial<QueueEventsOptions> = {}, name = this.name): QueueEvents {
    const all = { lastEventId: "0-0", ...options, connection: this.#connection as never };
    const events = new QueueEvents(name, all, this.#factory);
    events.on("error", () => {});
    return this.#track(events);
  }

  flow(): FlowProducer {
    return this.#track(new FlowProducer({ connection: this.#connection as never }, this.#factory));
  }

  nextTest(): void {
    this.#number += 1;
  }

  async closeAll(): Promise<void> {
    for (const item of this.#open.reverse()) await item.close(true);
    this.#open = [];
  }

  #track<T extends Closable>(item: T): T {
    this.#open.push(item);
    return item;
  }
}

interface Backend {
  name: string;
  skip: string | false;
  open(): Promise<{ world: World; close(): Promise<void> }>;
}

const BACKENDS: Backend[] = [
  {
    name: "SQLite",
    skip: false,
    async open() {
      const file = join(temporaryDirectory("bullmq-sqlite"), "queues.db");
      const connection = await SqliteConnection.open({ file });
      return { world: new World(connection, createSqliteBackend), close: () => connection.close() };
    },
  },
  {
    name: "Redis",
    skip: !redisInstalled() && !process.env.CI && "redis-server is not installed (apt install redis-server)",
    async open() {
      const redis = await startRedis();
      const world = new World({ host: "127.0.0.1", port: redis.port, maxRetriesPerRequest: null });
      return { world, close: () => redis.stop() };
    },
  },
];

/** A table of features; the name of a feature is the title of its test. */
export function conformance(area: string, features: Record<string, (world: World) => Promise<void>>): void {
  for (const { name, skip, open } of BACKENDS) {
    describe(`${area}: ${name}`, { skip, timeout: 60_000 }, () => {
      let opened: Awaited<ReturnType<Backend["open"]>>;
      before(async () => {
        opened = await open();
      });
      afterEach(() => opened.world.closeAll());
      after(() => opened?.close());
      for (const [feature, run] of Object.entries(features)) {
        test(feature, async () => {
          opened.world.nextTest();
          await run(opened.world);
        });
      }
    });
  }
}

/** Resolves with the arguments of the first `count` events. */
export async function collect(emitter: NodeJS.EventEmitter, event: string, count: number): Promise<unknown[][]> {
  const found: unknown[][] = [];
  await new Promise<void>((resolve) => {
    const listen = (...args: unknown[]) => {
      found.push(args);
      if (found.length < count) return;
      emitter.off(event, listen);
      resolve();
    };
    emitter.on(event, listen);
  });
  return found;
}

/** Takes the next job by hand; undefined if there is none. */
export async function take(worker: Worker, token = "token"): Promise<Job | undefined> {
  return worker.getNextJob(token, { block: false });
}

export const idsOf = (jobs: (Job | undefined)[]) => jobs.map((job) => job?.id);

export { Job, once };
