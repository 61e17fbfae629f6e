/** `GET /v1/stream`: messages as Server-Sent Events (WHATWG HTML section 9.2), one CloudEvent per message. */
import type { Writable } from "node:stream";
import { Refused } from "../errors.ts";
import type { Message } from "../message.ts";
import { eventJson } from "../uplink/request/cloudevent.ts";
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

interface Stream {
  sink: Sink;
  /** Whether the client's key is still valid. Checked before every write, so it must be cheap. */
  isAllowed(): boolean;
  /** Stops listening. */
  leave(): void;
}

export class Streams {
  readonly #open = new Set<Stream>();
  /** Serialized events: a message for many clients is serialized once. */
  readonly #written = new WeakMap<Message, Buffer>();
  readonly #heartbeat: NodeJS.Timeout;
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
        if (stream) this.#write(stream, this.#eventOf(message));
      })
      .finally(() => this.#opening--);
    if (listening instanceof Refused) return listening;
    const leave = () => {
      this.#open.delete(opened);
      listening.close();
    };
    const opened: Stream = { sink: start(), isAllowed, leave };
    stream = opened;
    this.#open.add(opened);
    opened.sink.once("close", leave);
    if (opened.sink.destroyed) leave();
    else this.#write(opened, CONNECTED);
    return undefined;
  }

  /** Ends every stream. */
  close(): void {
    clearInterval(this.#heartbeat);
    for (const { sink } of this.#open) sink.end();
  }

  #beat(): void {
    for (const stream of this.#open) this.#write(stream, HEARTBEAT);
  }

  #write({ sink, isAllowed, leave }: Stream, bytes: Buffer): void {
    if (sink.destroyed) return;
    if (!isAllowed()) {
      leave();
      sink.end();
      return;
    }
    if (sink.writableLength <= MAX_BUFFERED_BYTES) {
      sink.write(bytes);
      return;
    }
    this.options.onDropped();
    sink.destroy();
  }

  #eventOf(message: Message): Buffer {
    const known = this.#written.get(message);
    if (known) return known;
    const written = toEvent(message.id, eventJson(message, { source: this.options.eventSource }));
    this.#written.set(message, written);
    return written;
  }
}

const CONNECTED = Buffer.from(": connected\n\n");
const HEARTBEAT = Buffer.from(": heartbeat\n\n");

/** A payload embedded as JSON may contain line breaks: its event then has several `data` lines. */
function toEvent(id: string, json: Buffer): Buffer {
  const lines = json.toString().split(/\r\n|\r|\n/);
  return Buffer.from(`id: ${id}\n${lines.map((line) => `data: ${line}\n`).join("")}\n`);
}
