/** Request bodies: valid ones, valid ones with a few changes, and ones that are not JSON. */
import type { Hostile } from "./hostile.ts";
import type { Random } from "./random.ts";

/** A value and its place in the body. */
interface Place {
  holder: Record<string, unknown> | unknown[];
  key: string | number;
  /** Name of the nearest enclosing field. */
  field: string;
}

/** Returns the body with one to three random changes: other values, added, removed or duplicate fields. */
export function nearly(random: Random, hostile: Hostile, body: unknown): string {
  const root = { body: structuredClone(body) };
  for (let changes = 1 + random.below(3); changes > 0; changes--) change(random, hostile, root);
  const text = JSON.stringify(root.body) ?? "null";
  return random.chance(0.08) ? twice(random, text) : text;
}

function change(random: Random, hostile: Hostile, root: { body: unknown }): void {
  const places = placesIn(root, "");
  const { holder, key, field } = random.pick(places);
  const values = holder as Record<string | number, unknown>;
  const value = values[key];
  switch (random.below(7)) {
    case 0:
      if (Array.isArray(holder)) holder.splice(Number(key), 1);
      else if (holder !== root) delete values[key];
      return;
    case 1:
      values[key] = random.chance(0.5) ? [value] : { [field || "body"]: value };
      return;
    case 2:
      values[key] = typeof value === "string" ? Number(value) || 0 : String(value);
      return;
    case 3:
      if (typeof value !== "object" || value === null || Array.isArray(value))
        values[key] = hostile.json(random, field);
      else define(value, hostile.text(random, "headers"), hostile.json(random, field));
      return;
    case 4:
      values[key] = hostile.json(random, field);
      return;
    default:
      values[key] = typeof value === "object" ? hostile.json(random, field) : hostile.text(random, field);
  }
}

/** Defines a field as JSON.parse does: `__proto__` is an ordinary field. */
function define(object: object, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
}

function placesIn(holder: object, field: string): Place[] {
  return Object.entries(holder).flatMap(([key, value]) => {
    const [isIndex, own] = [Array.isArray(holder), Array.isArray(holder) ? field : key];
    const place = { holder: holder as Place["holder"], key: isIndex ? Number(key) : key, field: own };
    return typeof value === "object" && value !== null ? [place, ...placesIn(value, own)] : [place];
  });
}

/** Duplicates the first field of the text with a different value. */
function twice(random: Random, text: string): string {
  const name = /^\{("\w+"):/.exec(text)?.[1];
  return name === undefined
    ? text
    : `{${name}:${random.pick(["null", '"fuzz/other"', "[]", "1e400"])},${text.slice(1)}`;
}

/**
 * Returns arbitrary bytes in place of a JSON body.
 * @param text a valid body
 * @param start beginning of an object that may have a `payload`, up to and including the comma
 */
export function bytesInstead(random: Random, hostile: Hostile, text: string, start: string): Buffer {
  const nested = (open: string, close: string, depth: number) => open.repeat(depth) + close.repeat(depth);
  switch (random.below(13)) {
    case 0:
      return Buffer.alloc(0);
    case 1:
      return Buffer.from(text.slice(0, random.below(text.length) + 1));
    case 2:
      return Buffer.concat([Buffer.from(text.slice(0, -1)), Buffer.from([0xff, 0xfe, 0xc0, 0x80])]);
    case 3:
      return Buffer.from(`\ufeff${text}`);
    case 4:
      return Buffer.from(text, "utf16le");
    case 5:
      return Buffer.from(`${start}"payload":${nested("[", "]", random.pick([100, 5_000, 100_000]))}}`);
    case 6:
      return Buffer.from(`${start}"payload":${nested('{"a":', "}", 20_000).replace("}", "1}")}}`);
    case 7:
      return Buffer.from(nested("[", "]", 50_000));
    case 8:
      return Buffer.from(`${start}"payload":${random.pick(["1e400", "-0", "1E+2", "0x10", "01", "NaN", "'a'"])}}`);
    case 9:
      return Buffer.alloc(random.pick([262_144, 262_145, 700_000]), "a");
    case 10:
      return Buffer.from(`${text}${random.pick([" ", "\n\n", "}", "\0", text])}`);
    case 11:
      return Buffer.from(`${start}"payload":"${"\\u0000".repeat(random.pick([1, 43_000]))}"}`);
    default:
      return Buffer.from(JSON.stringify(hostile.json(random, "topic")) ?? "null");
  }
}

/** Returns a batch as lines, some of them malformed. @param line makes a valid one */
export function lines(random: Random, line: () => string): Buffer {
  const all = Array.from({ length: random.pick([0, 1, 3, 20]) }, () =>
    random.chance(0.7) ? line() : random.pick(["", "{", "null", "[]", "\ufeff{}", '{"topic":1}', "x".repeat(1_000)]),
  );
  return Buffer.from(all.join(random.pick(["\n", "\n", "\r\n", "\n\n"])) + random.pick(["", "\n"]));
}
