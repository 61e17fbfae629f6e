/** Sparkplug B payloads as values, in the JSON form of the specification's examples. Pure. */
import {
  DATA_TYPES,
  type DataSet,
  type DataType,
  type Holder,
  type MetaData,
  type Metric,
  type PropertySet,
  readPayload,
  type Template,
  toBigInt,
  type Uint64,
} from "./schema.ts";
import { elementOf, INTEGERS, shortest, unpack } from "./values.ts";

/** Metrics that a BIRTH announced: later messages may leave out what it said. */
export interface Birth {
  /** By the digits of the alias. */
  readonly byAlias: ReadonlyMap<string, AnnouncedMetric>;
  readonly byName: ReadonlyMap<string, AnnouncedMetric>;
}

export interface AnnouncedMetric {
  name: string;
  /** Number of the data type. */
  type: number;
  /** Digits. */
  alias?: string;
}

/** @throws Error if the bytes are no Sparkplug payload */
export function sparkplugToValue(bytes: Uint8Array, birth?: Birth): object {
  const { timestamp, metrics = [], seq, uuid, body } = own(readPayload(bytes));
  return {
    timestamp: integer(timestamp),
    metrics: metrics.map((metric) => metricToValue(named(own(metric), birth))),
    seq: integer(seq),
    uuid,
    body,
  };
}

/** Metrics of a BIRTH payload with name and data type. @throws Error if the bytes are no Sparkplug payload */
export function announcedMetrics(bytes: Uint8Array): AnnouncedMetric[] {
  const { metrics = [] } = own(readPayload(bytes));
  return metrics.flatMap((metric) => {
    const { name, alias, datatype } = own(metric);
    if (name === undefined || datatype === undefined) return [];
    return [{ name, type: datatype, ...(alias && { alias: toBigInt(alias).toString() }) }];
  });
}

/** Messages of the library have the default of every field in their prototype. */
function own<T extends object>(message: T): T {
  return { ...message };
}

/** Adds the name and data type of the BIRTH to a metric of a later message. */
function named(metric: Metric, birth: Birth | undefined): Metric {
  if (!birth || (metric.name !== undefined && metric.datatype !== undefined)) return metric;
  const known =
    metric.name !== undefined
      ? birth.byName.get(metric.name)
      : metric.alias && birth.byAlias.get(toBigInt(metric.alias).toString());
  return known ? { ...metric, name: known.name, datatype: metric.datatype ?? known.type } : metric;
}

function metricToValue(metric: Metric): object {
  const { name, alias, timestamp, datatype, isHistorical, isTransient, isNull, metadata, properties } = metric;
  return {
    name,
    alias: integer(alias),
    timestamp: integer(timestamp),
    dataType: typeName(datatype),
    isHistorical,
    isTransient,
    isNull,
    metadata: metadata && metadataToValue(own(metadata)),
    properties: properties && propertiesToValue(properties),
    value: isNull ? null : heldValue(metric, typeOf(datatype)),
  };
}

function metadataToValue({ size, seq, ...texts }: MetaData): object {
  return { ...texts, size: integer(size), seq: integer(seq) };
}

/** The value of the one member that is set; undefined if none is. */
function heldValue(holder: Holder, type: DataType | undefined): unknown {
  const { bytesValue, datasetValue, templateValue, propertysetValue, propertysetsValue } = holder;
  if (bytesValue !== undefined) {
    const element = elementOf(type);
    return element === undefined ? bytesValue : unpack(element, bytesValue);
  }
  if (datasetValue) return dataSetToValue(own(datasetValue));
  if (templateValue) return templateToValue(own(templateValue));
  if (propertysetValue) return propertiesToValue(propertysetValue);
  if (propertysetsValue) return (own(propertysetsValue).propertyset ?? []).map(propertiesToValue);
  return scalarOf(holder, type);
}

function scalarOf(holder: Holder, type: DataType | undefined): unknown {
  const { intValue, longValue, floatValue, doubleValue, booleanValue, stringValue } = holder;
  const number = intValue !== undefined ? BigInt(intValue) : integer(longValue);
  if (number !== undefined) {
    // Negative numbers are in two's complement, and implementations differ in its width.
    const integerType = type && INTEGERS[type];
    return integerType?.signed ? BigInt.asIntN(integerType.bits, number) : number;
  }
  if (floatValue !== undefined) return shortest(floatValue);
  return doubleValue ?? booleanValue ?? stringValue;
}

function dataSetToValue({ numOfColumns, columns = [], types = [], rows = [] }: DataSet): object {
  return {
    numOfColumns: integer(numOfColumns),
    columns,
    types: types.map(typeName),
    rows: rows.map((row) => (own(row).elements ?? []).map((cell, i) => scalarOf(own(cell), typeOf(types[i])) ?? null)),
  };
}

function templateToValue({ version, templateRef, isDefinition, metrics = [], parameters = [] }: Template): object {
  return {
    version,
    templateRef,
    isDefinition,
    parameters: parameters.map((parameter) => {
      const { name, type, ...holder } = own(parameter);
      return { name, type: typeName(type), value: scalarOf(holder, typeOf(type)) };
    }),
    metrics: metrics.map((metric) => metricToValue(own(metric))),
  };
}

function propertiesToValue(set: PropertySet): Map<string, object> {
  const { keys = [], values = [] } = own(set);
  if (keys.length !== values.length) throw new Error("a property set with another number of keys than values");
  const entries = keys.map((key, i) => {
    const { type, isNull, ...holder } = own(values[i]!);
    const value = isNull ? null : heldValue(holder, typeOf(type));
    return [key, { type: typeName(type), isNull, value }] as const;
  });
  return new Map(entries);
}

function typeOf(number: number | undefined): DataType | undefined {
  return number === undefined ? undefined : DATA_TYPES[number];
}

/** A type of a later specification keeps its number. */
function typeName(number: number | undefined): string | number | undefined {
  return typeOf(number) ?? number;
}

function integer(value: Uint64 | undefined): bigint | undefined {
  return value && toBigInt(value);
}
