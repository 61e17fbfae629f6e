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

/** A message whose result waits for its own publish or for earlier results. */
interface Held {
  bytes: number;
  result?: string;
}

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
  const lines = new NdjsonReader(maxLineBytes);
  const chunks = source[Symbol.asyncIterator]();
  const held: Held[] = [];
  let heldBytes = 0;
  let count = 0;
  let [reading, ended, broken] = [false, false, false];
  let wake: () => void = () => undefined;

  const hasRoom = () => held.length < MAX_HELD && heldBytes < MAX_HELD_BYTES;

  function start(line: Line): void {
    const one: Held = { bytes: "bytes" in line ? line.bytes.length : 0 };
    held.push(one);
    heldBytes += one.bytes;
    publishLine(line, count++, ports).then((result) => {
      one.result = `${result}\n`;
      if (one === held[0]) wake();
    });
  }

  function startLines(): void {
    while (!reading && hasRoom()) {
      const line = lines.next();
      if (!line) return;
      start(line);
    }
  }

  /** Takes the results that can be sent: those before the first message whose publish is still in progress. */
  function takeResults(): string {
    const due = held.findIndex(({ result }) => result === undefined);
    const taken = held.splice(0, due === -1 ? held.length : due);
    let text = "";
    for (const { bytes, result } of taken) {
      heldBytes -= bytes;
      text += result;
    }
    return text;
  }

  async function read(): Promise<void> {
    reading = true;
    try {
      const { done, value } = await chunks.next();
      if (!done) lines.push(value);
      else {
        ended = true;
        lines.end();
      }
    } catch {
      broken = true;
    }
    reading = false;
    wake();
  }

  try {
    while (!broken) {
      startLines();
      const results = takeResults();
      if (results !== "") {
        yield results;
        continue;
      }
      if (ended && held.length === 0) return;
      if (!reading && !ended && hasRoom()) void read();
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      // Results that complete in this turn of the event loop leave in the same write.
      await nextTurn();
    }
  } finally {
    if (!ended) void chunks.return?.();
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
