/** Writes decoded values as JSON text within limits. Integers keep all digits. */

const MAX_DEPTH = 100;

export class NotJson extends Error {
  override name = "NotJson";
}

/**
 * Returns the JSON text of a value. Beyond JSON's own types it accepts `bigint` (its digits), `Uint8Array` (base64) and
 * `Map` (keys become text). NaN, infinities and `undefined` become null, as RFC 8949 section 6.1 advises; members that
 * are undefined are left out.
 * @throws NotJson for any other value, or beyond the limits
 */
export function jsonText(value: unknown, maxChars: number): string {
  const writer = new Writer(maxChars);
  writer.write(value, 0);
  return writer.text();
}

class Writer {
  readonly #parts: string[] = [];
  #chars = 0;

  constructor(private readonly maxChars: number) {}

  text(): string {
    return this.#parts.join("");
  }

  write(value: unknown, depth: number): void {
    if (depth > MAX_DEPTH) throw new NotJson("nested too deeply");
    if (typeof value === "string") this.#string(value);
    else if (typeof value === "object" && value !== null) this.#object(value, depth);
    else this.#put(literal(value));
  }

  #object(value: object, depth: number): void {
    if (value instanceof Uint8Array) this.#put(`"${base64(value)}"`);
    else if (Array.isArray(value)) this.#array(value, depth);
    else if (value instanceof Map) this.#members(value, depth);
    else
      this.#members(
        Object.entries(value).filter(([, member]) => member !== undefined),
        depth,
      );
  }

  #array(values: unknown[], depth: number): void {
    this.#put("[");
    for (const [i, value] of values.entries()) {
      if (i > 0) this.#put(",");
      this.write(value, depth + 1);
    }
    this.#put("]");
  }

  #members(entries: Iterable<[unknown, unknown]>, depth: number): void {
    const names = new Set<string>();
    this.#put("{");
    for (const [key, value] of entries) {
      const name = keyText(key, this.maxChars);
      if (names.has(name)) throw new NotJson("two keys of a map have the same text");
      if (names.size > 0) this.#put(",");
      names.add(name);
      this.#string(name);
      this.#put(":");
      this.write(value, depth + 1);
    }
    this.#put("}");
  }

  #string(text: string): void {
    // Before escaping, which can make a text six times as long.
    this.#grow(text.length + 2);
    const quoted = JSON.stringify(text);
    this.#grow(quoted.length - text.length - 2);
    this.#parts.push(quoted);
  }

  #put(text: string): void {
    this.#grow(text.length);
    this.#parts.push(text);
  }

  #grow(chars: number): void {
    this.#chars += chars;
    if (this.#chars > this.maxChars) throw new NotJson(`more than ${this.maxChars} characters as JSON`);
  }
}

function literal(value: unknown): string {
  if (value == null) return "null";
  if (typeof value === "number") return Number.isFinite(value) ? JSON.stringify(value) : "null";
  if (typeof value === "bigint" || typeof value === "boolean") return value.toString();
  throw new NotJson(`a ${typeof value} where a value is expected`);
}

/** JSON has text keys only: a number or boolean becomes its text, bytes base64, and anything else its JSON. */
function keyText(key: unknown, maxChars: number): string {
  if (typeof key === "string") return key;
  if (key instanceof Uint8Array) return base64(key);
  return jsonText(key, maxChars);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}
