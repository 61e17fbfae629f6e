/** `causeway publish --lines`: any number of messages, each judged on its own. */
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { Causeway } from "../../client/index.ts";
import { EXIT, type ExitCode } from "../failures.ts";
import type { Output } from "../output/output.ts";
import { Progress } from "../output/progress.ts";

interface PublishLinesPorts {
  causeway: Pick<Causeway, "publishMany">;
  output: Output;
  input: Readable;
  /** Absent: the total is unknown. */
  totalBytes: number | undefined;
  idempotencyKey: string | undefined;
}

/** Publishes every line; a refused one is reported with its number and does not stop the others. */
export async function publishLines(ports: PublishLinesPorts): Promise<ExitCode> {
  const { causeway, output, input, totalBytes, idempotencyKey } = ports;
  const progress = new Progress(output);
  const source = new NumberedLines(input);
  const startedAt = Date.now();
  const counts = { done: 0, refused: 0 };
  try {
    for await (const result of causeway.publishMany(source.lines(), { idempotencyKey })) {
      const line = source.takeNumber();
      counts.done++;
      if (output.isJson) output.json(JSON.stringify(result));
      if ("code" in result) {
        counts.refused++;
        progress.clear();
        if (!output.isJson) output.note(`line ${line}: ${result.code}: ${result.detail}`);
      }
      progress.update(() => ({
        share: totalBytes === undefined ? undefined : source.bytesTaken / Math.max(1, totalBytes),
        text: summary(counts, Date.now() - startedAt),
      }));
    }
  } finally {
    progress.clear();
    if (!output.isJson) output.note(summary(counts, Date.now() - startedAt));
  }
  return counts.refused > 0 ? EXIT.refused : EXIT.done;
}

function summary({ done, refused }: { done: number; refused: number }, ms: number): string {
  const perSecond = Math.round(done / Math.max(0.001, ms / 1_000));
  const rate = `${done.toLocaleString("en")} messages, ${perSecond.toLocaleString("en")}/s`;
  return refused === 0 ? rate : `${rate}, ${refused.toLocaleString("en")} refused`;
}

/** Lines that are not empty, with their numbers in the input until their results are there. */
class NumberedLines {
  /** Bytes of the lines that were taken, with their ends. */
  bytesTaken = 0;
  readonly #input: Readable;
  readonly #numbers: number[] = [];

  constructor(input: Readable) {
    this.#input = input;
  }

  async *lines(): AsyncGenerator<string, void, undefined> {
    let number = 0;
    for await (const line of createInterface({ input: this.#input, crlfDelay: Number.POSITIVE_INFINITY })) {
      number++;
      this.bytesTaken += Buffer.byteLength(line) + 1;
      if (line.trim() === "") continue;
      this.#numbers.push(number);
      yield line;
    }
  }

  /** The number of the line whose result comes next: results come in order. */
  takeNumber(): number | undefined {
    return this.#numbers.shift();
  }
}
