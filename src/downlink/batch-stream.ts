/**
 * `POST /v1/messages/batch` as newline-delimited JSON: lines are read, published and answered as they arrive. The
 * number and size of held messages are bounded; while the client does not read its results, its lines are not read
 * either.
 */
import { isUtf8 } from "node:buffer";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Refused, refuseField } from "../errors.ts";
import { type BatchPorts, publishItem } from "./batch.ts";
import { type Line, NdjsonReader } from "./ndjson.ts";

/** Maximum number of messages whose results the client has not read. */
const MAX_HELD = 1_000;
/** The same limit in bytes of their lines: a thousand lines of maximum length would be half a gigabyte. */
const MAX_HELD_BYTES = 16 * 1024 * 1024;

/**
 * Yields the results, one per line, in the order of the messages. Ends early, without an error, if the source breaks
 * off: no client is left to read them.
 * @param maxLineBytes a longer line is refused, and the stream continues after it
 */
export async function* publishLines(
  source: AsyncIterable<Buffer>,
  maxLineBytes: number,
  ports: BatchPorts,
): AsyncGenerator<string> {
  let wake: () => void = () => undefined;
  const onChange = () => wake();
  const lines = new LineSource(source, maxLineBytes, onChange);
  const held = new HeldMessages(onChange);
  try {
    for (let count = 0; !lines.isBroken; ) {
      while (held.hasRoom) {
        const line = lines.next();
        if (!line) break;
        held.add(line, publishLine(line, count++, ports));
      }
      const results = held.takeResults();
      if (results !== "") {
        yield results;
        continue;
      }
      if (lines.isEnded && held.isEmpty) return;
      if (held.hasRoom) lines.read();
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      // Results that complete in this turn of the event loop leave in the same write.
      await nextTurn();
    }
  } finally {
    lines.stop();
  }
}

/** Lines of a source that is read chunk by chunk, on demand. */
class LineSource {
  readonly #lines: NdjsonReader;
  readonly #chunks: AsyncIterator<Buffer>;
  #isReading = false;
  #isEnded = false;
  #isBroken = false;

  /** @param onChange called when a chunk has arrived, and at the end */
  constructor(
    source: AsyncIterable<Buffer>,
    maxLineBytes: number,
    private readonly onChange: () => void,
  ) {
    this.#lines = new NdjsonReader(maxLineBytes);
    this.#chunks = source[Symbol.asyncIterator]();
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Whether the source broke off. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Takes the next complete line that has been read. */
  next(): Line | undefined {
    return this.#isReading ? undefined : this.#lines.next();
  }

  /** Reads the next chunk, unless one is being read or there is none. */
  read(): void {
    if (!this.#isReading && !this.#isEnded) void this.#read();
  }

  stop(): void {
    if (!this.#isEnded) void this.#chunks.return?.();
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    try {
      const { done, value } = await this.#chunks.next();
      if (!done) this.#lines.push(value);
      else {
        this.#isEnded = true;
        this.#lines.end();
      }
    } catch {
      this.#isBroken = true;
    }
    this.#isReading = false;
    this.onChange();
  }
}

/** A message whose result waits for its own publish or for earlier results. */
interface Held {
  bytes: number;
  result?: string;
}

/** Messages whose results the client has not read, in order. */
class HeldMessages {
  readonly #held: Held[] = [];
  #bytes = 0;

  /** @param onDue called when the first result is available */
  constructor(private readonly onDue: () => void) {}

  get hasRoom(): boolean {
    return this.#held.length < MAX_HELD && this.#bytes < MAX_HELD_BYTES;
  }

  get isEmpty(): boolean {
    return this.#held.length === 0;
  }

  add(line: Line, published: Promise<string>): void {
    const one: Held = { bytes: "bytes" in line ? line.bytes.length : 0 };
    this.#held.push(one);
    this.#bytes += one.bytes;
    published.then((result) => {
      one.result = `${result}\n`;
      if (one === this.#held[0]) this.onDue();
    });
  }

  /** Takes the results that can be sent: those before the first message whose publish is still in progress. */
  takeResults(): string {
    const due = this.#held.findIndex(({ result }) => result === undefined);
    const taken = this.#held.splice(0, due === -1 ? this.#held.length : due);
    let text = "";
    for (const { bytes, result } of taken) {
      this.#bytes -= bytes;
      text += result;
    }
    return text;
  }
}

async function publishLine(line: Line, index: number, ports: BatchPorts): Promise<string> {
  try {
    const text = textOf(line);
    if (text instanceof Refused) return ports.refusal(text, index);
    const item = parse(text, line.number);
    if (item instanceof Refused) return ports.refusal(item, index);
    if (index > 0) ports.take(1); // the request itself already counts as one
    const work = () => publishItem(item, text, index, ports);
    return await (ports.once ? ports.once(index, text, work) : work());
  } catch (error) {
    return ports.refusal(error, index);
  }
}

function textOf(line: Line): string | Refused {
  if ("tooLong" in line) return refuseField("payload_too_large", "", `line ${line.number} is too long`);
  // Decoding would silently replace bytes that are not UTF-8 and thus change the payload.
  if (!isUtf8(line.bytes)) return refuseField("invalid_request", "", `line ${line.number} is not valid UTF-8`);
  return line.bytes.toString();
}

/** Returns the parsed line, or a {@link Refused}. */
function parse(text: string, number: number): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return refuseField("invalid_request", "", `line ${number} is not valid JSON`);
  }
}
