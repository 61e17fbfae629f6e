/** Sparkplug B payloads from their JSON form: the inverse of `decode.ts`. Pure. */
import {
  DATA_TYPES,
  type DataType,
  type Holder,
  type MetaData,
  type Metric,
  type Payload,
  type PropertySet,
  type PropertyValue,
  type Template,
  toUint64,
  type Uint64,
  writePayload,
} from "./schema.ts";
import { elementOf, FieldFault, INTEGERS, pack } from "./values.ts";

/** Property sets and templates may nest; the library refuses deeper messages. */
const MAX_DEPTH = 32;
const MAX_UINT64 = 2n ** 64n - 1n;

type Json = Record<string, unknown>;

/** @throws FieldFault */
export function valueToSparkplug(value: unknown): Uint8Array {
  const { timestamp, metrics, seq, uuid, body } = objectOf(value, "", ["timestamp", "metrics", "seq", "uuid", "body"]);
  const payload: Payload = present({
    timestamp: optional(timestamp, ".timestamp", uint64Of),
    metrics: optional(metrics, ".metrics", (list, path) => listOf(list, path, (one, at) => metricOf(one, at, 0))),
    seq: optional(seq, ".seq", uint64Of),
    uuid: optional(uuid, ".uuid", textOf),
    body: optional(body, ".body", bytesOf),
  });
  return writePayload(payload);
}

const METRIC = [
  ...["name", "alias", "timestamp", "dataType", "isHistorical", "isTransient", "isNull", "metadata", "properties"],
  "value",
];

function metricOf(value: unknown, path: string, depth: number): Metric {
  if (depth > MAX_DEPTH) throw new FieldFault(path, "is nested too deeply");
  const given = objectOf(value, path, METRIC);
  if (given.name == null && given.alias == null) throw new FieldFault(path, "must have a name or an alias");
  const type = optional(given.dataType, `${path}.dataType`, typeOf);
  const isNull = optional(given.isNull, `${path}.isNull`, booleanOf) ?? given.value === null;
  return present({
    name: optional(given.name, `${path}.name`, textOf),
    alias: optional(given.alias, `${path}.alias`, uint64Of),
    timestamp: optional(given.timestamp, `${path}.timestamp`, uint64Of),
    datatype: type && DATA_TYPES.indexOf(type),
    isHistorical: optional(given.isHistorical, `${path}.isHistorical`, booleanOf),
    isTransient: optional(given.isTransient, `${path}.isTransient`, booleanOf),
    isNull: isNull || undefined,
    metadata: optional(given.metadata, `${path}.metadata`, metadataOf),
    properties: optional(given.properties, `${path}.properties`, (set, at) => propertiesOf(set, at, depth)),
    ...(!isNull && holderOf(given.value, type, path, depth)),
  });
}

/** @param path of the object that has `dataType` or `type` and `value` */
function holderOf(value: unknown, type: DataType | undefined, path: string, depth: number): Holder {
  if (value === undefined) return {};
  if (type === undefined) throw new FieldFault(`${path}.dataType`, "is required with a value");
  return holderFor(value, type, `${path}.value`, depth);
}

function holderFor(value: unknown, type: DataType, path: string, depth: number): Holder {
  const element = elementOf(type);
  if (element)
    return {
      bytesValue: pack(
        element,
        listOf(value, path, (one, at) => elementValue(one, element, at)),
      ),
    };
  const integer = INTEGERS[type];
  if (integer) {
    const number = integerOf(value, type, path);
    if (integer.bits === 64) return { longValue: toUint64(number) };
    return { intValue: Number(BigInt.asUintN(32, number)) };
  }
  switch (type) {
    case "Float":
      return { floatValue: numberOf(value, path) };
    case "Double":
      return { doubleValue: numberOf(value, path) };
    case "Boolean":
      return { booleanValue: booleanOf(value, path) };
    case "String":
    case "Text":
    case "UUID":
      return { stringValue: textOf(value, path) };
    case "Bytes":
    case "File":
      return { bytesValue: bytesOf(value, path) };
    case "DataSet":
      return { datasetValue: dataSetOf(value, path) };
    case "Template":
      return { templateValue: templateOf(value, path, depth + 1) };
    case "PropertySet":
      return { propertysetValue: propertiesOf(value, path, depth + 1) };
    case "PropertySetList":
      return { propertysetsValue: { propertyset: listOf(value, path, (set, at) => propertiesOf(set, at, depth + 1)) } };
    default:
      throw new FieldFault(path, `must not be given with the data type ${type}`);
  }
}

function elementValue(value: unknown, element: DataType, path: string): unknown {
  if (INTEGERS[element]) return integerOf(value, element, path);
  if (element === "Boolean") return booleanOf(value, path);
  if (element === "Float" || element === "Double") return numberOf(value, path);
  const text = textOf(value, path);
  if (text.includes("\0")) throw new FieldFault(path, "must not contain U+0000, which ends a string of an array");
  return text;
}

function dataSetOf(value: unknown, path: string): NonNullable<Holder["datasetValue"]> {
  const given = objectOf(value, path, ["numOfColumns", "columns", "types", "rows"]);
  const columns = listOf(given.columns, `${path}.columns`, textOf);
  const types = listOf(given.types, `${path}.types`, typeOf);
  if (types.length !== columns.length) throw new FieldFault(`${path}.types`, "must have one type for each column");
  const rows = listOf(given.rows, `${path}.rows`, (row, at) => {
    const elements = listOf(row, at, (cell, place) => {
      const type = types[Number(/\[(\d+)\]$/.exec(place)![1])];
      if (type === undefined) throw new FieldFault(place, "has no column");
      return cell === null ? {} : holderFor(cell, type, place, 0);
    });
    return { elements };
  });
  const numOfColumns = toUint64(BigInt(columns.length));
  return { numOfColumns, columns, types: types.map((type) => DATA_TYPES.indexOf(type)), rows };
}

function templateOf(value: unknown, path: string, depth: number): Template {
  const given = objectOf(value, path, ["version", "templateRef", "isDefinition", "parameters", "metrics"]);
  const parameterOf = (one: unknown, at: string) => {
    const parameter = objectOf(one, at, ["name", "type", "value"]);
    const type = optional(parameter.type, `${at}.type`, typeOf);
    const name = optional(parameter.name, `${at}.name`, textOf);
    return present({ name, type: type && DATA_TYPES.indexOf(type), ...holderOf(parameter.value, type, at, depth) });
  };
  return present({
    version: optional(given.version, `${path}.version`, textOf),
    templateRef: optional(given.templateRef, `${path}.templateRef`, textOf),
    isDefinition: optional(given.isDefinition, `${path}.isDefinition`, booleanOf),
    parameters: optional(given.parameters, `${path}.parameters`, (list, at) => listOf(list, at, parameterOf)),
    metrics: optional(given.metrics, `${path}.metrics`, (list, at) =>
      listOf(list, at, (one, place) => metricOf(one, place, depth)),
    ),
  });
}

function propertiesOf(value: unknown, path: string, depth: number): PropertySet {
  if (depth > MAX_DEPTH) throw new FieldFault(path, "is nested too deeply");
  const entries = Object.entries(objectOf(value, path));
  const values = entries.map(([key, property]): PropertyValue => {
    const at = `${path}.${key}`;
    const given = objectOf(property, at, ["type", "isNull", "value"]);
    const type = optional(given.type, `${at}.type`, typeOf);
    if (type === undefined) throw new FieldFault(`${at}.type`, "is required");
    const number = DATA_TYPES.indexOf(type);
    const isNull = optional(given.isNull, `${at}.isNull`, booleanOf) ?? given.value === null;
    return isNull ? { type: number, isNull } : { type: number, ...holderOf(given.value, type, at, depth) };
  });
  return { keys: entries.map(([key]) => key), values };
}

function metadataOf(value: unknown, path: string): MetaData {
  const texts = ["contentType", "fileName", "fileType", "md5", "description"] as const;
  const given = objectOf(value, path, ["isMultiPart", "size", "seq", ...texts]);
  return present({
    isMultiPart: optional(given.isMultiPart, `${path}.isMultiPart`, booleanOf),
    size: optional(given.size, `${path}.size`, uint64Of),
    seq: optional(given.seq, `${path}.seq`, uint64Of),
    ...Object.fromEntries(texts.map((name) => [name, optional(given[name], `${path}.${name}`, textOf)])),
  });
}

/** @param members the permitted members; absent: all */
function objectOf(value: unknown, path: string, members?: readonly string[]): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new FieldFault(path, "must be an object");
  }
  const unknown = members && Object.keys(value).find((name) => !members.includes(name));
  if (unknown !== undefined) throw new FieldFault(`${path}.${unknown}`, "is not a field of a Sparkplug payload");
  return value as Json;
}

function listOf<T>(value: unknown, path: string, each: (element: unknown, path: string) => T): T[] {
  if (!Array.isArray(value)) throw new FieldFault(path, "must be an array");
  return value.map((element, i) => each(element, `${path}[${i}]`));
}

function optional<T>(value: unknown, path: string, read: (value: unknown, path: string) => T): T | undefined {
  return value == null ? undefined : read(value, path);
}

function typeOf(value: unknown, path: string): DataType {
  const type = DATA_TYPES.find((name) => name === value);
  if (type === undefined) throw new FieldFault(path, "must be a data type of Sparkplug, such as Int32 or Boolean");
  return type;
}

function integerOf(value: unknown, type: DataType, path: string): bigint {
  const { bits, signed } = INTEGERS[type]!;
  const number = typeof value === "bigint" || Number.isSafeInteger(value) ? BigInt(value as number) : undefined;
  const fits = number !== undefined && (signed ? BigInt.asIntN(bits, number) : BigInt.asUintN(bits, number)) === number;
  if (!fits) throw new FieldFault(path, `must be an integer of type ${type}`);
  return number;
}

function uint64Of(value: unknown, path: string): Uint64 {
  const number = typeof value === "bigint" || Number.isSafeInteger(value) ? BigInt(value as number) : -1n;
  if (number < 0n || number > MAX_UINT64) throw new FieldFault(path, "must be an integer of at most 64 bits");
  return toUint64(number);
}

function numberOf(value: unknown, path: string): number {
  if (typeof value === "number" || typeof value === "bigint") return Number(value);
  throw new FieldFault(path, "must be a number");
}

function booleanOf(value: unknown, path: string): boolean {
  if (typeof value === "boolean") return value;
  throw new FieldFault(path, "must be true or false");
}

function textOf(value: unknown, path: string): string {
  if (typeof value === "string") return value;
  throw new FieldFault(path, "must be a string");
}

function bytesOf(value: unknown, path: string): Uint8Array {
  const text = textOf(value, path);
  const bytes = Buffer.from(text, "base64");
  if (bytes.toString("base64") !== text) throw new FieldFault(path, "must be base64");
  return bytes;
}

/** The object without its undefined members. */
function present<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T;
}
