/** Results of tools: bounded, with device data marked as such. Pure. */
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js";
import { failureOf } from "../failures.ts";
import { UNTRUSTED } from "./tool.ts";

/** Limit of the JSON of a result, about 12,000 tokens. */
const MAX_LENGTH = 48_000;
/** Length of a text within a result that is too long. */
const MAX_TEXT = 1_000;

/** Returns the value as far as it fits, and a note about what is missing. */
export function bounded(value: object, maxLength = MAX_LENGTH): { value: object; note?: string } {
  if (lengthOf(value) <= maxLength) return { value };
  const short = shortened(value) as Record<string, unknown>;
  if (lengthOf(short) <= maxLength) return { value: short, note: `texts are cut after ${MAX_TEXT} characters` };
  const lists = Object.entries(short).filter((entry): entry is [string, unknown[]] => Array.isArray(entry[1]));
  for (const [name, all] of lists) {
    for (let count = all.length; count > 0; count = Math.floor(count / 2)) {
      // The cursor would skip the items that are left out.
      const { nextCursor: _, ...fewer } = { ...short, [name]: all.slice(0, count) };
      if (lengthOf(fewer) > maxLength) continue;
      return { value: fewer, note: `only the first ${count} of ${all.length} ${name} fit: ask for fewer, or filter` };
    }
  }
  return { value: { start: JSON.stringify(short).slice(0, maxLength) }, note: "only the start of the result fits" };
}

function lengthOf(value: object): number {
  return JSON.stringify(value).length;
}

function shortened(value: unknown): unknown {
  if (typeof value === "string") {
    return value.length <= MAX_TEXT ? value : `${value.slice(0, MAX_TEXT)}… (${value.length} characters)`;
  }
  if (Array.isArray(value)) return value.map(shortened);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, shortened(one)]));
}

/** @param isUntrusted whether it contains texts of devices and receivers */
export function success(title: string, result: object, isUntrusted: boolean): CallToolResult {
  const { value, note } = bounded(result);
  const notes = [...(isUntrusted ? [UNTRUSTED] : []), ...(note === undefined ? [] : [`Cut: ${note}.`])];
  const structuredContent = { ...(notes.length > 0 && { notes }), result: value };
  const text = [`${title}: ${summaryOf(value)}`, ...notes, JSON.stringify(value)].join("\n");
  return { content: [{ type: "text", text }], structuredContent };
}

function summaryOf(value: object): string {
  const { items, nextCursor } = value as { items?: unknown[]; nextCursor?: string | null };
  if (!items) return "done";
  const count = `${items.length} ${items.length === 1 ? "item" : "items"}`;
  return nextCursor == null ? count : `${count}, and more with after: ${JSON.stringify(nextCursor)}`;
}

/** The code of the problem, the refused fields, and what to quote to the operator. */
export function failure(error: unknown): CallToolResult {
  const problem = failureOf(error);
  const { code, detail, errors = [] } = problem;
  const lines = [`${code}: ${detail}`, ...errors.map(({ path, message }) => `${path}: ${message}`)];
  return {
    isError: true,
    content: [{ type: "text", text: lines.join("\n") }],
    structuredContent: { error: problem },
  };
}
