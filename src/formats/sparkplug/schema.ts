/** The protobuf messages and data types of Sparkplug B (Sparkplug 3.0.0 section 6.4). */
import { createRequire } from "node:module";
import type protobuf from "protobufjs/light.js";

/** In the order of their numbers. */
export const DATA_TYPES = [
  ...["Unknown", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float", "Double"],
  ...["Boolean", "String", "DateTime", "Text", "UUID", "DataSet", "Bytes", "File", "Template"],
  ...["PropertySet", "PropertySetList"],
  ...["Int8Array", "Int16Array", "Int32Array", "Int64Array", "UInt8Array", "UInt16Array", "UInt32Array"],
  ...["UInt64Array", "FloatArray", "DoubleArray", "BooleanArray", "StringArray", "DateTimeArray"],
] as const;
export type DataType = (typeof DATA_TYPES)[number];

/** The member of a message that holds a value: exactly one is set. */
export interface Holder {
  intValue?: number;
  longValue?: Uint64;
  floatValue?: number;
  doubleValue?: number;
  booleanValue?: boolean;
  stringValue?: string;
  bytesValue?: Uint8Array;
  datasetValue?: DataSet;
  templateValue?: Template;
  propertysetValue?: PropertySet;
  propertysetsValue?: { propertyset: PropertySet[] };
}

/** Structurally a `Long`. */
export interface Uint64 {
  low: number;
  high: number;
  unsigned: boolean;
}

export interface DataSet {
  numOfColumns?: Uint64;
  columns?: string[];
  types?: number[];
  rows?: { elements?: Holder[] }[];
}

export interface Template {
  version?: string;
  metrics?: Metric[];
  parameters?: ({ name?: string; type?: number } & Holder)[];
  templateRef?: string;
  isDefinition?: boolean;
}

export interface PropertySet {
  keys?: string[];
  values?: PropertyValue[];
}

export type PropertyValue = { type?: number; isNull?: boolean } & Holder;

export interface MetaData {
  isMultiPart?: boolean;
  contentType?: string;
  size?: Uint64;
  seq?: Uint64;
  fileName?: string;
  fileType?: string;
  md5?: string;
  description?: string;
}

export interface Metric extends Holder {
  name?: string;
  alias?: Uint64;
  timestamp?: Uint64;
  datatype?: number;
  isHistorical?: boolean;
  isTransient?: boolean;
  isNull?: boolean;
  metadata?: MetaData;
  properties?: PropertySet;
}

export interface Payload {
  timestamp?: Uint64;
  metrics?: Metric[];
  seq?: Uint64;
  uuid?: string;
  body?: Uint8Array;
}

const SCALARS = [
  ...["uint32 intValue", "uint64 longValue", "float floatValue", "double doubleValue"],
  ...["bool booleanValue", "string stringValue"],
];

/** The fields of each message, numbered from 1. Not the `oneof`s: a sender that sets two members breaks one rule more. */
const MESSAGES: Record<string, string[]> = {
  Payload: ["uint64 timestamp", "repeated Metric metrics", "uint64 seq", "string uuid", "bytes body"],
  Metric: [
    ...["string name", "uint64 alias", "uint64 timestamp", "uint32 datatype", "bool isHistorical", "bool isTransient"],
    ...["bool isNull", "MetaData metadata", "PropertySet properties", ...SCALARS],
    ...["bytes bytesValue", "DataSet datasetValue", "Template templateValue"],
  ],
  MetaData: [
    ...["bool isMultiPart", "string contentType", "uint64 size", "uint64 seq"],
    ...["string fileName", "string fileType", "string md5", "string description"],
  ],
  DataSet: ["uint64 numOfColumns", "repeated string columns", "repeated uint32 types", "repeated Row rows"],
  Row: ["repeated DataSetValue elements"],
  DataSetValue: SCALARS,
  Template: [
    ...["string version", "repeated Metric metrics", "repeated Parameter parameters"],
    ...["string templateRef", "bool isDefinition"],
  ],
  Parameter: ["string name", "uint32 type", ...SCALARS],
  PropertySet: ["repeated string keys", "repeated PropertyValue values"],
  PropertySetList: ["repeated PropertySet propertyset"],
  PropertyValue: [
    ...["uint32 type", "bool isNull", ...SCALARS],
    ...["PropertySet propertysetValue", "PropertySetList propertysetsValue"],
  ],
};

function declared(fields: readonly string[]) {
  const entries = fields.map((field, i) => {
    const [name, type, rule] = field.split(" ").reverse();
    return [name!, { type: type!, id: i + 1, ...(rule && { rule }) }] as const;
  });
  // proto2 tells an absent field from false and 0.
  return { edition: "proto2", fields: Object.fromEntries(entries) };
}

let payloadType: protobuf.Type | undefined;

/** The library is loaded with the first payload: it takes 9 MB and 50 ms, and most bridges never see Sparkplug. */
function loadedType(): protobuf.Type {
  if (!payloadType) {
    const { Root } = createRequire(import.meta.url)("protobufjs/light.js") as typeof protobuf;
    const nested = Object.fromEntries(Object.entries(MESSAGES).map(([name, fields]) => [name, declared(fields)]));
    payloadType = Root.fromJSON({ nested }).lookupType("Payload");
  }
  return payloadType;
}

/** @throws Error if the bytes are no protobuf message */
export function readPayload(bytes: Uint8Array): Payload {
  return loadedType().decode(bytes) as Payload;
}

export function writePayload(payload: Payload): Uint8Array {
  return loadedType().encode(payload).finish();
}

/** The digits of an unsigned number of 64 bits. */
export function toBigInt({ low, high }: Uint64): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

export function toUint64(value: bigint): Uint64 {
  return { low: Number(BigInt.asIntN(32, value)), high: Number(BigInt.asIntN(32, value >> 32n)), unsigned: true };
}
