/** MessagePack. */
import { decode, decodeTimestampToTimeSpec, EXT_TIMESTAMP, ExtensionCodec, encode } from "@msgpack/msgpack";
import { jsonText } from "./json-text.ts";

const MAX_DEPTH = 100;
/** Characters of a map key that is no string. */
const MAX_KEY = 1_024;

const extensions = new ExtensionCodec();
extensions.register({ type: EXT_TIMESTAMP, encode: () => null, decode: timestamp });

/** @throws Error if the bytes are not exactly one object */
export function msgpackToValue(bytes: Uint8Array): unknown {
  checkLengths(bytes);
  return decode(bytes, {
    useBigInt64: true,
    extensionCodec: extensions,
    mapKeyConverter: (key) => (typeof key === "string" ? key : jsonText(key, MAX_KEY)),
  });
}

export function valueToMsgpack(value: unknown): Uint8Array {
  return encode(value, { useBigInt64: true, maxDepth: MAX_DEPTH });
}

/** Seconds and nanoseconds as RFC 3339, with as many digits as they need. */
function timestamp(data: Uint8Array): string {
  const { sec, nsec } = decodeTimestampToTimeSpec(data);
  const seconds = new Date(sec * 1_000).toISOString().slice(0, -5);
  const fraction = nsec === 0 ? "" : `.${nsec.toString().padStart(9, "0").replace(/0+$/, "")}`;
  return `${seconds}${fraction}Z`;
}

/** Bytes after the head of each type of fixed size, from 0xca (float 32) to 0xd8 (fixext 16). */
const FIXED = [4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 3, 5, 9, 17];

/**
 * Refuses an array or map that announces more elements than there are bytes: the library would reserve memory for them,
 * gigabytes for nested ones.
 */
function checkLengths(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const length = (size: number): number => {
    const value = size === 1 ? view.getUint8(at) : size === 2 ? view.getUint16(at) : view.getUint32(at);
    at += size;
    return value;
  };
  let pending = 1;
  while (pending > 0) {
    if (pending > bytes.length - at) throw new Error("more elements than bytes");
    pending--;
    const head = view.getUint8(at++);
    if (head < 0x80 || head >= 0xe0) continue;
    if (head < 0x90) pending += 2 * (head & 0x0f);
    else if (head < 0xa0) pending += head & 0x0f;
    else if (head < 0xc0) at += head & 0x1f;
    else if (head >= 0xca && head <= 0xd8) at += FIXED[head - 0xca]!;
    else if (head >= 0xde) pending += 2 * length(2 << (head - 0xde));
    else if (head >= 0xdc) pending += length(2 << (head - 0xdc));
    else if (head >= 0xd9) at += length(1 << (head - 0xd9));
    else if (head >= 0xc7) at += length(1 << (head - 0xc7)) + 1;
    else if (head >= 0xc4) at += length(1 << (head - 0xc4));
  }
}
