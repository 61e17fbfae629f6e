/** `GET /v1/stream`: messages as Server-Sent Events (WHATWG HTML section 9.2), one CloudEvent per message. */
import type { Writable } from "node:stream";
import { Refused } from "../errors.ts";
import type { Message } from "../message.ts";
import { eventText } from "../uplink/request/cloudevent.ts";
import type { Listening, OnMessage } from "./live-subscriptions.ts";

export interface StreamsOptions {
  listen(topics: string[], onMessage: OnMessage): Promise<Listening | Refused>;
  eventSource: string;
  /** Called when a client read too slowly and was disconnected. */
  onDropped(): void;
  /** Milliseconds between two heartbeats. */
  heartbeatMs?: number;
}

/** Destination of the events: a response of Node's HTTP server, or a socket. */
export type Sink = Pick<Writable, "write" | "end" | "destroy" | "writableLength" | "once" | "destroyed">;

const HEARTBEAT_MS = 15_000;
/** Bytes buffered for one client; beyond this it is disconnected, which bounds the memory of the process. */
const MAX_BUFFERED_BYTES = 1024 * 1024;
const MAX_STREAMS = 5_000;
/**
 * Minimum milliseconds between two writes: a write for each message costs more than the message. The first message after
 * a silence is written at once.
 */
const WRITE_EVERY_MS = 20;
/** Characters that are written without waiting. */
const FULL_LENGTH = 64 * 1024;

interface Stream {
  sink: Sink;
  /** Events to be written together, and their length. */
  pending: string[];
  length: number;
  /** Whether the client's key is still valid. Checked before every write, so it must be cheap. */
  isAllowed(): boolean;
  /** Stops listening. */
  leave(): void;
}

export class Streams {
  readonly #open = new Set<Stream>();
  /** Streams with pending events. */
  readonly #due = new Set<Stream>();
  readonly #heartbeat: NodeJS.Timeout;
  /** The last message and its event: all listeners get a message in turn, and it is serialized once. */
  #last: { message: Message; event: string } | undefined;
  /** The last events that were written, and their bytes: streams with the same filters share the memory. */
  #written: { events: readonly string[]; bytes: Buffer } = { events: [], bytes: Buffer.alloc(0) };
  #isScheduled = false;
  #writtenAt = 0;
  #opening = 0;

  constructor(private readonly options: StreamsOptions) {
    this.#heartbeat = setInterval(() => this.#beat(), options.heartbeatMs ?? HEARTBEAT_MS).unref();
  }

  get size(): number {
    return this.#open.size;
  }

  /**
   * Resolves once the broker has granted the filters and the stream has started.
   * @param start called after the grant, when no refusal is possible any more; returns the sink, with its head written
   */
  async open(topics: string[], start: () => Sink, isAllowed: () => boolean): Promise<Refused | undefined> {
    if (this.#open.size + this.#opening >= MAX_STREAMS) {
      return new Refused("rate_limited", `${MAX_STREAMS} streams are open`, { retryAfterSeconds: 10 });
    }
    let stream: Stream | undefined;
    this.#opening++;
    const listening = await this.options
      .listen(topics, (message) => {
        if (stream) this.#add(stream, this.#eventOf(message));
      })
      .finally(() => this.#opening--);
    if (listening instanceof Refused) return listening;
    const leave = () => {
      this.#open.delete(opened);
      this.#due.delete(opened);
      listening.close();
    };
    const opened: Stream = { sink: start(), pending: [CONNECTED], length: 0, isAllowed, leave };
    stream = opened;
    this.#open.add(opened);
    opened.sink.once("close", leave);
    if (opened.sink.destroyed) leave();
    else this.#write(opened);
    return undefined;
  }

  /** Ends every stream. */
  close(): void {
    clearInterval(this.#heartbeat);
    this.#writeDue();
    for (const { sink } of this.#open) sink.end();
  }

  #beat(): void {
    for (const stream of this.#open) this.#add(stream, HEARTBEAT);
  }

  #add(stream: Stream, event: string): void {
    stream.pending.push(event);
    stream.length += event.length;
    if (stream.length >= FULL_LENGTH) {
      this.#write(stream);
      return;
    }
    this.#due.add(stream);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    const waitMs = this.#writtenAt + WRITE_EVERY_MS - performance.now();
    if (waitMs > 0) setTimeout(() => this.#writeDue(), waitMs);
    else setImmediate(() => this.#writeDue());
  }

  #writeDue(): void {
    this.#isScheduled = false;
    this.#writtenAt = performance.now();
    for (const stream of this.#due) this.#write(stream);
  }

  #write(stream: Stream): void {
    const { sink, isAllowed, leave, pending } = stream;
    stream.pending = [];
    stream.length = 0;
    this.#due.delete(stream);
    if (sink.destroyed) return;
    if (!isAllowed()) {
      leave();
      sink.end();
      return;
    }
    if (sink.writableLength <= MAX_BUFFERED_BYTES) {
      sink.write(this.#bytesOf(pending));
      return;
    }
    this.options.onDropped();
    sink.destroy();
  }

  #bytesOf(events: readonly string[]): Buffer {
    const { events: last } = this.#written;
    const isSame = events.length === last.length && events.every((event, i) => event === last[i]);
    if (!isSame) this.#written = { events, bytes: Buffer.from(events.join("")) };
    return this.#written.bytes;
  }

  #eventOf(message: Message): string {
    if (this.#last?.message !== message) {
      const event = toEvent(message.id, eventText(message, { source: this.options.eventSource }));
      this.#last = { message, event };
    }
    return this.#last.event;
  }
}

const CONNECTED = ": connected\n\n";
const HEARTBEAT = ": heartbeat\n\n";

/** A payload embedded as JSON may contain line breaks: its event then has several `data` lines. */
function toEvent(id: string, json: string): string {
  const data = /[\r\n]/.test(json) ? json.split(/\r\n|\r|\n/).join("\ndata: ") : json;
  return `id: ${id}\ndata: ${data}\n\n`;
}
