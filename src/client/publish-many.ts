/** Publishing any number of messages: as a stream of lines where `fetch` can send one, otherwise as batches. */
import { CausewayConnectionError } from "./errors.ts";
import { TimeLimit } from "./time-limit.ts";
import type { Transport } from "./transport.ts";
import type { BatchResult, MessageInput } from "./types.ts";

/** Messages, or their JSON texts, which are sent as they are: parsing would change numbers such as `1.10`. */
export type MessageSource = AsyncIterable<MessageInput | string> | Iterable<MessageInput | string>;

export interface PublishManyOptions {
  signal?: AbortSignal | undefined;
  /**
   * With `lines` only: after a failure, send all messages again with the same key, and those that were processed return
   * their first result. The bridge accepts up to 100,000 messages under one key.
   */
  idempotencyKey?: string | undefined;
  /**
   * `lines` sends each message at once, and its result arrives while you send. `batches` collects 1,000 messages, or
   * all that are left. Default: `lines` on Node.js; `batches` in browsers, which give out no response
   * before the request has ended.
   */
  mode?: "lines" | "batches" | undefined;
}

/** Messages that were sent and whose results the caller has not taken: a bound of its own, as sockets hold megabytes. */
const MAX_UNREAD = 1_000;
/** Characters of lines that wait to be written. */
const MAX_WAITING = 1024 * 1024;
const MAX_BATCH = 1_000;
/** In characters, well below the 32 MiB that the bridge accepts. */
const MAX_BATCH_LENGTH = 8 * 1024 * 1024;

/** Yields the result of each message, in their order. While the caller takes no results, no messages are taken. */
export function publishMany(
  transport: Transport,
  messages: MessageSource,
  options: PublishManyOptions = {},
): AsyncGenerator<BatchResult, void, undefined> {
  const isBrowser =
    (globalThis as { process?: { versions?: { node?: string } } }).process?.versions?.node === undefined;
  const mode = options.mode ?? (isBrowser ? "batches" : "lines");
  return mode === "lines" ? publishLines(transport, messages, options) : publishBatches(transport, messages, options);
}

async function* publishLines(
  transport: Transport,
  messages: MessageSource,
  { signal, idempotencyKey }: PublishManyOptions,
): AsyncGenerator<BatchResult, void, undefined> {
  const limit = new TimeLimit(signal, Number.POSITIVE_INFINITY, "");
  const lines = new OutgoingLines(messages);
  try {
    const headers = {
      "content-type": "application/x-ndjson",
      ...(idempotencyKey !== undefined && { "idempotency-key": idempotencyKey }),
    };
    // `duplex` is missing in the types of browsers.
    const body = { body: lines.body, duplex: "half" as const };
    const response = await transport.open("/v1/messages/batch", {
      method: "POST",
      headers,
      ...body,
      signal: limit.signal,
    });
    for await (const line of linesOf(response.body!)) {
      lines.onResult();
      yield JSON.parse(line) as BatchResult;
    }
    if (lines.unread > 0) throw new CausewayConnectionError(`${lines.unread} messages have no result`);
  } catch (error) {
    if (limit.signal.aborted) throw limit.signal.reason;
    // The failure of the source ends the request, which hides the cause.
    if (lines.failure) throw lines.failure.cause;
    throw error instanceof TypeError ? new CausewayConnectionError("the stream broke off", { cause: error }) : error;
  } finally {
    limit.abort();
    limit.end();
    await lines.stop();
  }
}

/** The messages as the body of a request; takes the next one only while few results are unread. */
class OutgoingLines {
  /** Messages taken whose results have not been taken. */
  unread = 0;
  /** Set when the source failed. */
  failure: { cause: unknown } | undefined;
  readonly body: ReadableStream<Uint8Array>;
  readonly #source: AsyncIterator<MessageInput | string> | Iterator<MessageInput | string>;
  /** Lines that were taken while the last ones were written: they leave in one chunk. */
  #lines = "";
  #isEnded = false;
  #isTaking = false;
  #onRoom: () => void = () => undefined;
  #onLine: () => void = () => undefined;

  constructor(messages: MessageSource) {
    this.#source = iteratorOf(messages);
    const start = () => void this.#take();
    this.body = new ReadableStream({ start, pull: (controller) => this.#pull(controller) }, { highWaterMark: 0 });
  }

  onResult(): void {
    this.unread--;
    this.#onRoom();
  }

  /** Lets the source end; does not wait for a message that it has yet to produce. */
  async stop(): Promise<void> {
    if (this.#isEnded) return;
    this.#end();
    const returned = Promise.resolve(this.#source.return?.()).catch(() => undefined);
    if (!this.#isTaking) await returned;
  }

  async #take(): Promise<void> {
    try {
      while (!this.#isEnded) {
        if (this.unread >= MAX_UNREAD || this.#lines.length >= MAX_WAITING) {
          await new Promise<void>((resolve) => {
            this.#onRoom = resolve;
          });
          continue;
        }
        this.#isTaking = true;
        const { done, value } = await this.#source.next();
        this.#isTaking = false;
        if (done) break;
        this.#lines += `${lineOf(value)}\n`;
        this.unread++;
        this.#onLine();
      }
    } catch (cause) {
      this.failure = { cause };
    }
    this.#end();
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    if (this.#lines === "" && !this.#isEnded) {
      await new Promise<void>((resolve) => {
        this.#onLine = resolve;
      });
    }
    if (this.#lines !== "") {
      controller.enqueue(new TextEncoder().encode(this.#lines));
      this.#lines = "";
      this.#onRoom();
    } else if (this.failure) controller.error(this.failure.cause);
    else controller.close();
  }

  #end(): void {
    this.#isEnded = true;
    this.#onRoom();
    this.#onLine();
  }
}

async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    const lines = (rest + decoder.decode(value, { stream: !done })).split("\n");
    rest = done ? "" : lines.pop()!;
    for (const line of lines) if (line !== "") yield line;
    if (done) return;
  }
}

async function* publishBatches(
  transport: Transport,
  messages: MessageSource,
  { signal }: PublishManyOptions,
): AsyncGenerator<BatchResult, void, undefined> {
  for await (const batch of batchesOf(messages)) {
    const { data } = await transport.api.POST("/v1/messages/batch", {
      body: { messages: batch },
      bodySerializer: () => `{"messages":[${batch}]}`,
      ...transport.settings({ signal }),
    });
    yield* (data as { results: BatchResult[] }).results;
  }
}

/** Groups messages, each as its JSON text. */
async function* batchesOf(messages: MessageSource): AsyncGenerator<string[], void, undefined> {
  let batch: string[] = [];
  let length = 0;
  for await (const message of messages) {
    const text = lineOf(message);
    if (batch.length === MAX_BATCH || (batch.length > 0 && length + text.length > MAX_BATCH_LENGTH)) {
      yield batch;
      batch = [];
      length = 0;
    }
    batch.push(text);
    length += text.length;
  }
  if (batch.length > 0) yield batch;
}

/** JSON has line breaks between its tokens only, never inside strings. */
function lineOf(message: MessageInput | string): string {
  return typeof message === "string" ? message.replaceAll(/[\r\n]/g, " ") : JSON.stringify(message);
}

function iteratorOf(messages: MessageSource): AsyncIterator<MessageInput | string> | Iterator<MessageInput | string> {
  return Symbol.asyncIterator in messages ? messages[Symbol.asyncIterator]() : messages[Symbol.iterator]();
}
