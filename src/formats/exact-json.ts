/** Parses JSON without losing digits of large integers. */
import { randomUUID } from "node:crypto";

/** Strings are matched as a whole, so that digits inside them are no numbers. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const INTEGER = /^-?\d{10,}$/;
const [MIN, MAX] = [-(2n ** 63n), 2n ** 64n - 1n];

/**
 * Parses a document. Integers of ten digits or more become `bigint`; the libraries encode smaller ones exactly.
 * @throws Error for integers that no format can carry: they have 64 bits
 */
export function parseExact(json: string): unknown {
  // A string that no document contains by chance, and no caller can guess.
  const mark = `${randomUUID()}:`;
  let found = false;
  const marked = json.replace(TOKEN, (token) => {
    if (!INTEGER.test(token)) return token;
    found = true;
    return `"${mark}${token}"`;
  });
  if (!found) return JSON.parse(json);
  return JSON.parse(marked, (_, value: unknown) =>
    typeof value === "string" && value.startsWith(mark) ? integerOf(value.slice(mark.length)) : value,
  );
}

function integerOf(digits: string): bigint | number {
  const value = digits.length > 20 ? undefined : BigInt(digits);
  if (value !== undefined && value >= MIN && value <= MAX) return value;
  // JavaScript writes floating-point numbers below 1e21 so.
  if (String(Number(digits)) === digits) return Number(digits);
  throw new Error(`${digits.slice(0, 24)} does not fit in 64 bits`);
}
