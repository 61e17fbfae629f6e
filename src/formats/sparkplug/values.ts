/** Array values of Sparkplug (section 6.4.16): packed bytes, little-endian. */
import type { DataType } from "./schema.ts";

/** A value that its data type cannot hold. */
export class FieldFault extends Error {
  override name = "FieldFault";

  /** @param path place in the document, e.g. `.metrics[0].value` */
  constructor(
    readonly path: string,
    message: string,
  ) {
    super(message);
  }
}

/** Bits and signedness of the integer types. */
export const INTEGERS: Partial<Record<DataType, { bits: number; signed: boolean }>> = {
  Int8: { bits: 8, signed: true },
  Int16: { bits: 16, signed: true },
  Int32: { bits: 32, signed: true },
  Int64: { bits: 64, signed: true },
  UInt8: { bits: 8, signed: false },
  UInt16: { bits: 16, signed: false },
  UInt32: { bits: 32, signed: false },
  UInt64: { bits: 64, signed: false },
  DateTime: { bits: 64, signed: false },
};

/** The type of the elements of an array type; undefined for any other type. */
export function elementOf(type: DataType | undefined): DataType | undefined {
  return type?.endsWith("Array") ? (type.slice(0, -"Array".length) as DataType) : undefined;
}

/** @throws Error if the length of the bytes does not fit the type */
export function unpack(element: DataType, bytes: Uint8Array): unknown[] {
  if (element === "String") return unpackStrings(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (element === "Boolean") return unpackBooleans(view);
  const size = sizeOf(element);
  if (bytes.length % size !== 0) throw new Error(`an array of ${element} of ${bytes.length} bytes`);
  return Array.from({ length: bytes.length / size }, (_, i) => readAt(element, view, i * size));
}

function readAt(element: DataType, view: DataView, at: number): number | bigint {
  if (element === "Float") return shortest(view.getFloat32(at, true));
  if (element === "Double") return view.getFloat64(at, true);
  const { bits, signed } = INTEGERS[element]!;
  let value = 0n;
  for (let i = bits / 8 - 1; i >= 0; i--) value = (value << 8n) | BigInt(view.getUint8(at + i));
  return signed ? BigInt.asIntN(bits, value) : value;
}

/** A count of 4 bytes, then bits, the highest first. */
function unpackBooleans(view: DataView): boolean[] {
  const count = view.byteLength < 4 ? -1 : view.getUint32(0, true);
  if (count < 0 || Math.ceil(count / 8) !== view.byteLength - 4) {
    throw new Error(`an array of Boolean of ${view.byteLength} bytes`);
  }
  return Array.from({ length: count }, (_, i) => ((view.getUint8(4 + (i >> 3)) >> (7 - (i & 7))) & 1) === 1);
}

/** Each string ends with a zero byte. */
function unpackStrings(bytes: Uint8Array): string[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
  return (text.endsWith("\0") ? text.slice(0, -1) : text).split("\0").slice(bytes.length === 0 ? 1 : 0);
}

/** The inverse of {@link unpack}. @param values checked against the type of the elements */
export function pack(element: DataType, values: readonly unknown[]): Uint8Array {
  if (element === "String") return Buffer.from(values.map((text) => `${text as string}\0`).join(""));
  if (element === "Boolean") {
    const bytes = new Uint8Array(4 + Math.ceil(values.length / 8));
    new DataView(bytes.buffer).setUint32(0, values.length, true);
    for (const [i, value] of values.entries()) if (value) bytes[4 + (i >> 3)]! |= 0x80 >> (i & 7);
    return bytes;
  }
  const size = sizeOf(element);
  const bytes = new Uint8Array(values.length * size);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of values.entries()) {
    if (element === "Float") view.setFloat32(i * size, value as number, true);
    else if (element === "Double") view.setFloat64(i * size, value as number, true);
    else
      for (let b = 0; b < size; b++)
        bytes[i * size + b] = Number(BigInt.asUintN(8, (value as bigint) >> BigInt(8 * b)));
  }
  return bytes;
}

function sizeOf(element: DataType): number {
  if (element === "Float") return 4;
  return element === "Double" ? 8 : INTEGERS[element]!.bits / 8;
}

/** The number with the fewest digits that is the same as a `float`: 12.1 instead of 12.100000381469727. */
export function shortest(float: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const value = Number(float.toPrecision(digits));
    if (Math.fround(value) === float) return value;
  }
  return float;
}
