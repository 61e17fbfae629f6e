import { Worker } from "node:worker_threads";
import { EngineError, fromWire } from "./errors.ts";
import type { FromThread, Operation, Synchronous, ThreadOptions, ToThread } from "./protocol.ts";

export interface EngineOptions {
  /** Path of the database file; created if it does not exist. Its directory must exist. */
  file: string;
  /** Modules whose default export is a `ProcedureModule`. */
  modules: (string | URL)[];
  /** Default: `full`, an acknowledged operation survives a power cut. */
  synchronous?: Synchronous;
  /** Called if the thread ends by itself, after the calls were rejected: the engine does not start another one. */
  onFailure?(error: EngineError): void;
}

interface Call {
  operation: Operation;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

/** Largest batch: bounds the work in the main thread when the replies arrive together. */
const BATCH_LIMIT = 500;

/** Starts the thread from dist, or from the sources with tsx, which a thread of Node 20 does not inherit. */
function startThread(workerData: ThreadOptions): Worker {
  const url = new URL(`worker${import.meta.url.slice(-3)}`, import.meta.url);
  const options = { workerData, name: "sqlite" };
  if (!url.pathname.endsWith(".ts")) return new Worker(url, options);
  const tsx = import.meta.resolve("tsx/esm/api");
  const start = `import("${tsx}").then(({ register }) => register()).then(() => import("${url.href}"))`;
  return new Worker(start, { ...options, eval: true });
}

/**
 * A SQLite database in a thread of its own. Calls are collected while a batch runs, and otherwise for one turn of the
 * event loop; each batch is one transaction. A call resolves when its batch is on disk.
 */
export class Engine {
  readonly #thread: Worker;
  readonly #listeners = new Map<string, Set<(payload: unknown) => void>>();
  #waiting: Call[] = [];
  #running: Call[] = [];
  #scheduled = false;
  #closed: Promise<void> | undefined;
  #failure: EngineError | undefined;

  private constructor(
    thread: Worker,
    private readonly onFailure?: EngineOptions["onFailure"],
  ) {
    this.#thread = thread;
    thread.on("message", (message: FromThread) => {
      if (message.type === "done") this.#done(message);
    });
    thread.on("error", (error) =>
      this.#fail(new EngineError("CLOSED", `The database thread failed: ${error.message}`)),
    );
    thread.on("exit", () =>
      this.#fail(new EngineError("CLOSED", this.#closed ? "The database is closed." : "The database thread ended.")),
    );
  }

  /** @throws {EngineError} LOCKED, DAMAGED, FULL or IO; or the error that a module threw */
  static async open({ file, modules, synchronous = "full", onFailure }: EngineOptions): Promise<Engine> {
    const workerData: ThreadOptions = { file, synchronous, modules: modules.map(String) };
    const thread = startThread(workerData);
    await new Promise<void>((resolve, reject) => {
      thread.once("error", reject);
      thread.once("message", (message: FromThread) => {
        if (message.type === "failed") reject(fromWire(message.error));
        else resolve();
      });
    });
    return new Engine(thread, onFailure);
  }

  /** Runs a procedure. Calls run in the order in which they are made. */
  call<R>(procedure: string, ...args: unknown[]): Promise<R> {
    if (this.#failure || this.#closed) {
      return Promise.reject(this.#failure ?? new EngineError("CLOSED", "The database is closed."));
    }
    return new Promise<R>((resolve, reject) => {
      this.#waiting.push({ operation: [procedure, args], resolve: resolve as Call["resolve"], reject });
      this.#schedule();
    });
  }

  /** Listens to the notices of one topic. Returns a function that ends it. */
  on<P>(topic: string, listener: (payload: P) => void): () => void {
    let listeners = this.#listeners.get(topic);
    if (!listeners) {
      listeners = new Set();
      this.#listeners.set(topic, listeners);
    }
    listeners.add(listener as (payload: unknown) => void);
    return () => listeners.delete(listener as (payload: unknown) => void);
  }

  /** Waits for the calls made so far, then closes the file. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= new Promise<void>((resolve) => {
      if (this.#failure) return resolve();
      this.#thread.once("exit", () => resolve());
      this.#schedule();
    });
    return this.#closed;
  }

  #schedule(): void {
    if (this.#scheduled || this.#running.length > 0 || this.#failure) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#failure) return;
    if (this.#waiting.length === 0) {
      if (this.#closed) this.#send({ type: "close" });
      return;
    }
    this.#running = this.#waiting.splice(0, BATCH_LIMIT);
    this.#send({ type: "batch", operations: this.#running.map(({ operation }) => operation) });
  }

  #send(message: ToThread): void {
    this.#thread.postMessage(message);
  }

  #done({ results, errors, notices }: FromThread & { type: "done" }): void {
    const calls = this.#running;
    this.#running = [];
    for (const [topic, payload] of notices) {
      for (const listener of this.#listeners.get(topic) ?? []) listener(payload);
    }
    const failed = new Set<number>();
    for (const [index, error] of errors) {
      failed.add(index);
      calls[index]?.reject(fromWire(error));
    }
    for (const [index, call] of calls.entries()) if (!failed.has(index)) call.resolve(results[index]);
    if (this.#waiting.length > 0 || this.#closed) this.#schedule();
  }

  #fail(error: EngineError): void {
    if (this.#failure) return;
    this.#failure = error;
    for (const call of [...this.#running, ...this.#waiting]) call.reject(error);
    this.#running = [];
    this.#waiting = [];
    if (!this.#closed) this.onFailure?.(error);
  }
}
