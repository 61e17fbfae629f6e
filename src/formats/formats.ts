/** Payload formats of devices: bytes to JSON text and back. Pure. */
import { cborToValue, valueToCbor } from "./cbor.ts";
import { parseExact } from "./exact-json.ts";
import { jsonText } from "./json-text.ts";
import { msgpackToValue, valueToMsgpack } from "./msgpack.ts";
import { type Birth, sparkplugToValue } from "./sparkplug/decode.ts";
import { valueToSparkplug } from "./sparkplug/encode.ts";
import { FieldFault } from "./sparkplug/values.ts";

/** `auto`: text and JSON as they are. */
export const PAYLOAD_FORMATS = ["auto", "sparkplug", "cbor", "msgpack"] as const;
export type PayloadFormat = (typeof PAYLOAD_FORMATS)[number];
export type EncodedFormat = Exclude<PayloadFormat, "auto">;

/** Content type of a publish without one. Sparkplug runs on MQTT 3.1.1 and names none. */
export const CONTENT_TYPES: Record<EncodedFormat, string | undefined> = {
  sparkplug: undefined,
  cbor: "application/cbor",
  msgpack: "application/msgpack",
};

const NAMES: Record<EncodedFormat, string> = { sparkplug: "Sparkplug B", cbor: "CBOR", msgpack: "MessagePack" };
/** An attribute becomes an HTTP header; libraries may quote the payload. */
const MAX_REASON = 200;

export interface DecodeOptions {
  /** Limit of the JSON text in characters: a small payload can mean a large document. */
  maxChars: number;
  /** Sparkplug: the metrics that the sender announced. */
  birth?: Birth | undefined;
}

/** Decodes a payload. Never throws: a payload from any device is no reason for an error of the bridge. */
export function decodePayload(
  format: EncodedFormat,
  payload: Uint8Array,
  { maxChars, birth }: DecodeOptions,
): { json: string } | { error: string } {
  try {
    return { json: jsonText(toValue(format, payload, birth), maxChars) };
  } catch (error) {
    return { error: `not ${NAMES[format]}: ${reasonOf(error)}` };
  }
}

function toValue(format: EncodedFormat, payload: Uint8Array, birth: Birth | undefined): unknown {
  switch (format) {
    case "sparkplug":
      return sparkplugToValue(payload, birth);
    case "cbor":
      return cborToValue(payload);
    case "msgpack":
      return msgpackToValue(payload);
  }
}

/**
 * Encodes a JSON document.
 * @param json valid JSON
 * @returns the bytes, or the fault with the place in the document, e.g. `.metrics[0].value`
 */
export function encodePayload(format: EncodedFormat, json: string): Uint8Array | { path: string; message: string } {
  try {
    const value = parseExact(json);
    switch (format) {
      case "sparkplug":
        return valueToSparkplug(value);
      case "cbor":
        return valueToCbor(value);
      case "msgpack":
        return valueToMsgpack(value);
    }
  } catch (error) {
    const path = error instanceof FieldFault ? error.path : "";
    const message = error instanceof FieldFault ? error.message : `cannot be encoded: ${reasonOf(error)}`;
    return { path, message };
  }
}

function reasonOf(error: unknown): string {
  // The stack of the process is the limit of the libraries that recurse.
  if (error instanceof RangeError && /call stack/.test(error.message)) return "nested too deeply";
  const reason = (error as Error).message.replace(/^CBOR decode error: /, "").replace(/\s+/g, " ");
  return reason.length > MAX_REASON ? `${reason.slice(0, MAX_REASON)}…` : reason;
}
