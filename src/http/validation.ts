/** Validation and serialization by the contract's schemas, and the paths of the invalid fields. */
import { Ajv2020, type Options, type ValidateFunction } from "ajv/dist/2020.js";
import fastJsonStringify, { type AnySchema } from "fast-json-stringify";
import type { FastifySchemaCompiler, FastifySchemaValidationError, FastifySerializerCompiler } from "fastify";
import type { FieldError } from "../errors.ts";

const options: Options = {
  useDefaults: true,
  // OpenAPI's own keywords are not part of JSON Schema. The document's schemas are validated by its linter.
  strict: false,
  validateSchema: false,
  meta: false,
  // It would take as long as generating the code of a validator.
  code: { optimize: false },
  // All other formats only describe: URLs and topics have their own rules and problem codes.
  formats: { byte: isBase64, uri: true, "date-time": true },
};

/**
 * Bodies are validated without coercion: a string is not a number, and an unknown field is an error. URL parameters are
 * text, so their types are coerced; unknown query parameters are errors too.
 */
export function validatorCompiler(): FastifySchemaCompiler<object> {
  const body = new Ajv2020(options);
  const url = new Ajv2020({ ...options, coerceTypes: "array" });
  return ({ schema, httpPart }) => {
    if (httpPart === "body") return validatorOf(body, schema);
    return validatorOf(url, httpPart === "querystring" ? { ...schema, additionalProperties: false } : schema);
  };
}

/** Returns a validator that is compiled when it is first used: compiling all of them would delay every start. */
function validatorOf(ajv: Ajv2020, schema: object) {
  let compiled: ValidateFunction | undefined;
  return function validate(value: unknown): true | { error: FastifySchemaValidationError[] } {
    compiled ??= ajv.compile(schema);
    return compiled(value) ? true : { error: compiled.errors as FastifySchemaValidationError[] };
  };
}

const SERIALIZER = { ajv: { meta: false, code: { optimize: false } } };

/** Fields that the schema does not name are left out. A serializer is compiled when it is first used. */
export const serializerCompiler: FastifySerializerCompiler<object> = ({ schema }) => {
  let compiled: ((value: unknown) => string) | undefined;
  return (value) => {
    compiled ??= fastJsonStringify(schema as AnySchema, SERIALIZER) as (value: unknown) => string;
    return compiled(value);
  };
};

/**
 * Creates a validator of one of the contract's schemas for a value that is not a whole body. It returns the violations,
 * none if the value is valid, and fills in the defaults. An empty path is the value itself.
 */
export function schemaCheck(schemas: unknown, name: string): (value: unknown) => FieldError[] {
  const check = validatorOf(new Ajv2020(options), { components: { schemas }, $ref: `#/components/schemas/${name}` });
  return (value) => {
    const result = check(value);
    return result === true ? [] : fieldErrors(result.error, undefined);
  };
}

function isBase64(text: string): boolean {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
}

/** One entry per field, e.g. `topics[0]` or `query.limit`; an empty path is the body itself. */
export function fieldErrors(found: FastifySchemaValidationError[], context: string | undefined): FieldError[] {
  const prefix = context === "querystring" ? "query" : context === "params" ? "path" : "";
  const named = found.map((error) => ({ path: pathOf(error, prefix), message: messageOf(error) }));
  // A name that violates `propertyNames` is reported twice: by its own, more specific rule and by `propertyNames`.
  return named.filter(({ path }, i) => named.findIndex((other) => other.path === path) === i);
}

function pathOf({ instancePath, params }: FastifySchemaValidationError, prefix: string): string {
  const steps = instancePath.split("/").slice(1).map(unescapePointer);
  const { missingProperty, additionalProperty } = params;
  for (const name of [missingProperty, additionalProperty]) if (typeof name === "string") steps.push(name);
  return steps.reduce(join, prefix);
}

function unescapePointer(step: string): string {
  return step.replaceAll("~1", "/").replaceAll("~0", "~");
}

function join(path: string, step: string): string {
  if (/^\d+$/.test(step)) return `${path}[${step}]`;
  if (!/^[\w-]+$/.test(step)) return `${path}[${JSON.stringify(step)}]`;
  return path ? `${path}.${step}` : step;
}

function messageOf({ keyword, params, message, schemaPath }: FastifySchemaValidationError): string {
  switch (keyword) {
    case "required":
      return "is required";
    case "additionalProperties":
      return "is not a known field";
    case "enum":
      return `must be one of ${(params.allowedValues as unknown[]).join(", ")}`;
    case "format":
      return params.format === "byte" ? "must be base64" : `must be a ${params.format}`;
    case "false schema":
      return `must not be given together with ${/dependentSchemas\/(\w+)/.exec(schemaPath)?.[1] ?? "another field"}`;
    default:
      return message ?? "is not valid";
  }
}
