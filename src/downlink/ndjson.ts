/** Splits a stream of bytes into lines; holds at most one line and the last chunk. */

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** A line without its terminator. `tooLong`: it exceeded the limit and its bytes were dropped. */
export type Line = { number: number; bytes: Buffer } | { number: number; tooLong: true };

export class NdjsonReader {
  #chunk: Buffer = Buffer.alloc(0);
  #at = 0;
  /** Chunks of a line that continues in the next chunk. */
  #begun: Buffer[] = [];
  #begunBytes = 0;
  #skipping = false;
  #number = 0;
  #ended = false;

  /** @param maxBytes maximum length of a line, without its terminator */
  constructor(private readonly maxBytes: number) {}

  /** Adds the next chunk of the stream. Call it only after {@link next} has returned undefined. */
  push(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#at = 0;
  }

  /** Marks the end of the stream: the remaining bytes count as a line. */
  end(): void {
    this.#ended = true;
  }

  /** Returns the next non-empty line; undefined if more of the stream is needed. */
  next(): Line | undefined {
    for (;;) {
      const end = this.#chunk.indexOf(NEWLINE, this.#at);
      if (end === -1) {
        this.#keep(this.#chunk.subarray(this.#at));
        this.#at = this.#chunk.length;
        if (!this.#ended || (this.#begunBytes === 0 && !this.#skipping)) return undefined;
      } else {
        this.#keep(this.#chunk.subarray(this.#at, end));
        this.#at = end + 1;
      }
      const line = this.#finish();
      if (line) return line;
    }
  }

  #keep(bytes: Buffer): void {
    if (bytes.length === 0 || this.#skipping) return;
    this.#begun.push(bytes);
    this.#begunBytes += bytes.length;
    // The extra byte is the carriage return before the newline.
    if (this.#begunBytes <= this.maxBytes + 1) return;
    this.#begun = [];
    this.#begunBytes = 0;
    this.#skipping = true;
  }

  #finish(): Line | undefined {
    const number = ++this.#number;
    const skipped = this.#skipping;
    const whole = this.#begun.length === 1 ? this.#begun[0]! : Buffer.concat(this.#begun);
    this.#begun = [];
    this.#begunBytes = 0;
    this.#skipping = false;
    const bytes = whole.at(-1) === CARRIAGE_RETURN ? whole.subarray(0, -1) : whole;
    if (skipped || bytes.length > this.maxBytes) return { number, tooLong: true };
    return bytes.length > 0 ? { number, bytes } : undefined;
  }
}
