/** Server-Sent Events (WHATWG HTML section 9.2): bytes to the data of the events. */

/** Splits a stream of bytes into events; holds at most one event. Comments and other fields than `data` are ignored. */
export class EventParser {
  readonly #decoder = new TextDecoder();
  #line = "";
  #data: string[] = [];

  /** Returns the data of the events that this chunk completes. */
  push(chunk: Uint8Array): string[] {
    const lines = (this.#line + this.#decoder.decode(chunk, { stream: true })).split("\n");
    this.#line = lines.pop()!;
    return lines.flatMap((line) => this.#take(line.replace(/\r$/, "")));
  }

  #take(line: string): string[] {
    if (line.startsWith("data:")) this.#data.push(line.slice(line[5] === " " ? 6 : 5));
    if (line !== "" || this.#data.length === 0) return [];
    const data = this.#data.join("\n");
    this.#data = [];
    return [data];
  }
}
