/** Options and arguments that several commands share, and their checks. */
import { readFileSync } from "node:fs";
import { buffer } from "node:stream/consumers";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Webhook } from "../../client/index.ts";
import { UsageError } from "../failures.ts";

export type NamedValues = Record<string, string | string[]>;

export function integer(min: number, max = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(
        `must be a whole number from ${min}${max < Number.MAX_SAFE_INTEGER ? ` to ${max}` : ""}`,
      );
    }
    return value;
  };
}

export function seconds(text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text)) throw new InvalidArgumentError("must be a number of seconds");
  return Number(text);
}

/** Ids become part of a path, in which dots would lead elsewhere. */
export function id(text: string): string {
  if (/^\.{0,2}$/.test(text)) throw new InvalidArgumentError("must be an id");
  return text;
}

/** Collects the values of an option that may be repeated. */
export function repeated(value: string, before: string[] = []): string[] {
  return [...before, value];
}

/** Collects `name=value`; a repeated name gets several values. */
export function pairs(text: string, before: NamedValues = {}): NamedValues {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("must be name=value");
  const [name, value] = [text.slice(0, at), text.slice(at + 1)];
  const known = Object.hasOwn(before, name) ? before[name]! : undefined;
  return { ...before, [name]: known === undefined ? value : [...(Array.isArray(known) ? known : [known]), value] };
}

const UNIT_MS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A time in RFC 3339, or an age such as `90m`: that long ago. */
export function past(text: string): string {
  return timeOf(text, -1);
}

/** A time in RFC 3339, or a duration such as `90m`: in that long. */
export function future(text: string): string {
  return timeOf(text, 1);
}

function timeOf(text: string, direction: 1 | -1): string {
  const [, amount, unit] = /^(\d+)([smhd])$/.exec(text) ?? [];
  if (amount !== undefined) return new Date(Date.now() + direction * Number(amount) * UNIT_MS[unit!]!).toISOString();
  if (!/^\d{4}-\d{2}-\d{2}T/.test(text) || Number.isNaN(Date.parse(text))) {
    throw new InvalidArgumentError("must be a time such as 2026-03-01T12:00:00Z, or a duration such as 90m, 2h or 7d");
  }
  return text;
}

export function qosOption(): Option {
  return new Option("--qos <level>", "quality of service, 1 by default").choices(["0", "1", "2"]).argParser((text) => {
    if (!/^[012]$/.test(text)) throw new InvalidArgumentError("must be 0, 1 or 2");
    return Number(text);
  });
}

/** Name of a payload format in the contract. */
export type FormatName = NonNullable<Webhook["payloadFormat"]>;

const FORMAT_NAMES: readonly FormatName[] = ["auto", "sparkplug", "cbor", "msgpack"];

export function payloadFormatOption(description: string): Option {
  return new Option("--payload-format <format>", description).choices(FORMAT_NAMES);
}

/** `--limit` and `--all` of lists. */
export function addListOptions(command: Command): Command {
  return command
    .addOption(new Option("--limit <count>", "show this many").argParser(integer(1)).default(50).conflicts("all"))
    .option("--all", "show all");
}

export function limitOf({ limit, all }: { limit: number; all?: true | undefined }): number {
  return all ? Number.POSITIVE_INFINITY : limit;
}

/** The payload of a message: an argument, `-` for standard input, or a file. */
export async function readPayload(payload: string | undefined, file: string | undefined): Promise<Buffer> {
  if (payload !== undefined && file !== undefined) throw new UsageError("give either PAYLOAD or --file, not both");
  if (file !== undefined) return readInput(file);
  if (payload === undefined)
    throw new UsageError("give a PAYLOAD, - for standard input, or --file; '' is an empty one");
  return payload === "-" ? buffer(process.stdin) : Buffer.from(payload);
}

/**
 * The fields of a payload: with a format, the JSON value to encode; otherwise the bytes as they are, since text could
 * contain what JSON strings cannot.
 */
export function payloadFields(bytes: Buffer, payloadFormat: FormatName | undefined): PayloadFields {
  if (payloadFormat === undefined || payloadFormat === "auto") return { payloadBase64: bytes.toString("base64") };
  try {
    return { payload: JSON.parse(bytes.toString()) as unknown, payloadFormat };
  } catch (error) {
    throw new UsageError(`with --payload-format, the payload must be JSON: ${(error as Error).message}`);
  }
}

export interface PayloadFields {
  payload?: unknown;
  payloadBase64?: string;
  payloadFormat?: FormatName;
}

/** JSON of an option: the text itself, `@file`, or `-` for standard input. */
export async function readJson(text: string, option: string): Promise<Record<string, unknown>> {
  const source =
    text === "-"
      ? (await buffer(process.stdin)).toString()
      : text.startsWith("@")
        ? readInput(text.slice(1)).toString()
        : text;
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch (error) {
    throw new UsageError(`${option} is not valid JSON: ${(error as Error).message}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new UsageError(`${option} must be a JSON object`);
  return value as Record<string, unknown>;
}

export function readInput(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new UsageError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

/** Adds examples to the help of a command. */
export function addExamples(command: Command, ...examples: string[]): Command {
  return command.addHelpText("after", `\nExamples:\n${examples.map((each) => `  $ ${each}\n`).join("")}`.trimEnd());
}

/** The object without its undefined members. */
export function present<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Partial<T>;
}
