/** The output of a command: JSON for programs, tables and colours for terminals, plain lines for pipes. */
import { stringify } from "yaml";
import { printable } from "./printable.ts";
import { type Column, cellsOf, drawTable } from "./table.ts";

type Colour = "red" | "green" | "yellow" | "cyan" | "dim";

const CODES: Record<Colour, number> = { red: 31, green: 32, yellow: 33, cyan: 36, dim: 2 };
const FALLBACK_WIDTH = 80;

export interface OutputOptions {
  isJson: boolean;
  env: Record<string, string | undefined>;
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
}

export class Output {
  readonly isJson: boolean;
  /** Whether people read it: standard output is a terminal and not asked for JSON. */
  readonly isTerminal: boolean;
  readonly #options: OutputOptions;
  readonly #hasColour: boolean;

  constructor(options: OutputOptions) {
    const { isJson, env, stdout } = options;
    this.#options = options;
    this.isJson = isJson;
    this.isTerminal = stdout.isTTY === true && !isJson;
    // https://no-color.org: any value but an empty one.
    this.#hasColour = this.isTerminal && !env.NO_COLOR && env.TERM !== "dumb";
  }

  get width(): number {
    return this.#options.stdout.columns || FALLBACK_WIDTH;
  }

  /** The terminal behind standard error, for progress; undefined if it is none. */
  get progressTerminal(): NodeJS.WriteStream | undefined {
    const { stderr, env } = this.#options;
    return stderr.isTTY && !this.isJson && env.TERM !== "dumb" ? stderr : undefined;
  }

  /** Writes one document: JSON, or the text for people; without a text, YAML. */
  document(value: unknown, text?: string): void {
    // Line by line, since printable() escapes line breaks.
    const yaml = () => stringify(value, { lineWidth: 0 }).trimEnd().split("\n").map(printable).join("\n");
    this.line(this.isJson ? JSON.stringify(value, null, this.#options.stdout.isTTY ? 2 : 0) : (text ?? yaml()));
  }

  /** Writes one line of NDJSON. @param json valid JSON */
  json(json: string): void {
    this.raw(`${json}\n`);
  }

  line(text: string): void {
    this.raw(`${text}\n`);
  }

  raw(data: string | Uint8Array): void {
    this.#options.stdout.write(data);
  }

  /** Writes the first items of a list: NDJSON, a table, or values separated by tabs. */
  async list<T>(items: AsyncIterable<T>, columns: readonly Column<T>[], limit: number): Promise<void> {
    const rows: T[] = [];
    let count = 0;
    let hasMore = false;
    for await (const item of items) {
      if (count === limit) {
        hasMore = true;
        break;
      }
      count++;
      if (this.isJson) this.json(JSON.stringify(item));
      else if (this.isTerminal) rows.push(item);
      else this.line(cellsOf(item, columns).join("\t"));
    }
    if (this.isTerminal && count > 0) {
      for (const line of drawTable(rows, columns, this.width, (text) => this.paint("dim", text))) this.line(line);
    }
    if (count === 0 && this.isTerminal) this.note("none");
    if (hasMore) this.note(`only the first ${limit}: --limit or --all shows more`);
  }

  /** Writes a remark for people to standard error; programs get none. */
  note(text: string): void {
    if (!this.isJson) this.#options.stderr.write(`${printable(text)}\n`);
  }

  /** Writes a line to standard error, in JSON too. */
  problem(text: string, value: object): void {
    this.#options.stderr.write(`${this.isJson ? JSON.stringify(value) : printable(text)}\n`);
  }

  paint(colour: Colour, text: string): string {
    return this.#hasColour ? `\x1b[${CODES[colour]}m${text}\x1b[0m` : text;
  }
}
