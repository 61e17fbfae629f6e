/** Payloads of commands, which may be anything. */

export type JsonObject = Record<string, unknown>;

/** The parsed JSON, or undefined if the payload is none. */
export function jsonOf(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString());
  } catch {
    return undefined;
  }
}

/** The JSON object, or undefined if the payload is none. */
export function objectOf(payload: Buffer): JsonObject | undefined {
  const value = jsonOf(payload);
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
}

/** A finite number within the limits, or undefined. */
export function numberIn(value: unknown, min: number, max: number): number | undefined {
  return typeof value === "number" && value >= min && value <= max ? value : undefined;
}
