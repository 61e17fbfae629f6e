/** Values for a schema of the contract, with meaningful values for known fields. */
import type { OpenApi } from "../../src/http/document.ts";
import type { Random } from "./random.ts";

export interface Schema {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  allOf?: Schema[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  properties?: Record<string, Schema | boolean>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: Schema;
  minItems?: number;
  maxItems?: number;
  minimum?: number;
  maximum?: number;
  format?: string;
}

/** Value of a field that must be omitted. */
export const ABSENT = Symbol("absent");

/** Returns a meaningful value for a field of this name; undefined: any valid value. */
export type Meaning = (random: Random, field: string, schema: string | undefined) => unknown;

/** Probability of an optional field. */
const OPTIONAL = 0.15;

export class Values {
  constructor(
    private readonly openapi: OpenApi,
    private readonly meaning: Meaning,
  ) {}

  /** @param field name of the field that gets the value */
  valid(random: Random, schema: Schema, field: string, name?: string): unknown {
    if (schema.$ref !== undefined) {
      const target = schema.$ref.split("/").at(-1)!;
      return this.valid(random, this.openapi.components.schemas![target] as Schema, field, target);
    }
    const meant = this.meaning(random, field, name);
    if (meant !== undefined) return meant;
    if (schema.const !== undefined) return schema.const;
    if (schema.enum) return random.pick(schema.enum);
    const choices = schema.anyOf ?? schema.oneOf;
    if (choices) return this.valid(random, random.pick(choices), field);
    if (schema.allOf) return this.valid(random, schema.allOf[0]!, field);
    switch (Array.isArray(schema.type) ? random.pick(schema.type) : schema.type) {
      case "object":
        return this.#object(random, schema, name);
      case "array": {
        const { minItems = 0, maxItems = 100, items = {} } = schema;
        const length = Math.min(maxItems, Math.max(minItems, random.pick([1, 1, 1, 2, 3])));
        return Array.from({ length }, () => this.valid(random, items, field));
      }
      case "integer":
      case "number": {
        const { minimum = 0, maximum = 1_000 } = schema;
        return Math.min(maximum, minimum + random.pick([0, 1, 1, 5, 50, maximum]));
      }
      case "boolean":
        return random.chance(0.5);
      case "null":
        return null;
      case "string":
        return this.#string(random, schema);
      default:
        return random.pick<unknown>([21.5, "on", { led: "on", at: [1, 2, 3] }, [1, null, true], true, null, ""]);
    }
  }

  #object(random: Random, { properties = {}, required = [], additionalProperties }: Schema, name?: string): unknown {
    const body: Record<string, unknown> = {};
    for (const [field, schema] of Object.entries(properties)) {
      if (typeof schema === "boolean" || (!required.includes(field) && !random.chance(OPTIONAL))) continue;
      const value = this.valid(random, schema, field, name);
      if (value !== ABSENT) body[field] = value;
    }
    // `payload` and `payloadBase64` are mutually exclusive.
    if ("payload" in body) delete body.payloadBase64;
    if (typeof additionalProperties === "object") {
      const schema = { ...additionalProperties, type: "string" };
      for (let n = random.below(3); n > 0; n--) body[`x-fuzz-${n}`] = this.valid(random, schema, "value");
    }
    return body;
  }

  #string(random: Random, { format }: Schema): string {
    if (format === "byte")
      return Buffer.from(random.pick(["", "a", "abc", "\u0000\u00ff"]), "latin1").toString("base64");
    if (format === "date-time") return random.pick(["2026-01-01T00:00:00Z", "2027-06-01T12:00:00.5+02:00"]);
    return random.pick(["fuzz", "Fuzz 1", "text/plain", "naïve"]);
  }
}
