/** The OpenAPI document: as text and as JSON, and the properties of its operations. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Scope } from "../keys/caller.ts";

export interface Parameter {
  name: string;
  in: "path" | "query" | "header";
  required?: boolean;
  schema: { default?: unknown };
}

interface Response {
  description: string;
  content?: Record<string, object>;
  headers?: Record<string, object>;
}

interface RequestBody {
  content: Record<string, object>;
  required?: boolean;
}

export interface Operation {
  operationId: string;
  parameters?: (Parameter | Ref)[];
  requestBody?: RequestBody | Ref;
  responses: Record<string, Response | Ref>;
  security?: unknown[];
  /** Scope that an API key needs for this operation; of several, one suffices. */
  "x-scope"?: Scope | Scope[];
}

interface Ref {
  $ref: string;
}

interface PathItem extends Partial<Record<Method, Operation>> {
  parameters?: (Parameter | Ref)[];
}

/** The parts of an OpenAPI document that the bridge reads. */
export interface OpenApi {
  openapi: string;
  info: unknown;
  security: unknown[];
  paths: Record<string, PathItem>;
  components: Record<string, Record<string, unknown>>;
}

const METHODS = ["get", "put", "post", "delete", "patch"] as const;
type Method = (typeof METHODS)[number];

/** Newline-delimited JSON: a body of unlimited length. */
export const LINES = "application/x-ndjson";

/** The document as JSON, written by the build beside the compiled code; there is none beside the sources. */
const COMPILED_DOCUMENT = fileURLToPath(new URL("openapi.json", import.meta.url));

/** Reads the document, from the compiled JSON where there is one. */
export async function loadDocument(): Promise<{ yaml: string; openapi: OpenApi }> {
  const yaml = readYaml();
  const isCompiled = existsSync(COMPILED_DOCUMENT);
  return {
    yaml,
    openapi: isCompiled ? JSON.parse(readFileSync(COMPILED_DOCUMENT, "utf8")) : await parseDocument(yaml),
  };
}

/** Reads `openapi/openapi.yaml`, two folders up from both `src/http` and `dist/http`. */
export function readYaml(): string {
  return readFileSync(new URL("../../openapi/openapi.yaml", import.meta.url), "utf8");
}

let parsed: { yaml: string; openapi: Promise<OpenApi> } | undefined;

/**
 * Parses the YAML. The parser is loaded only here, because a compiled program does not need it, and the last result is
 * kept: parsing takes half a second, and tests build the application many times.
 */
export async function parseDocument(yaml: string): Promise<OpenApi> {
  if (parsed?.yaml !== yaml) parsed = { yaml, openapi: import("yaml").then(({ parse }) => parse(yaml)) };
  return structuredClone(await parsed.openapi);
}

/** Resolves a reference to `#/components/…`; returns any other value unchanged. */
export function resolve<T extends object>(openapi: OpenApi, value: T | Ref): T {
  if (!("$ref" in value)) return value;
  const [, , kind, name] = value.$ref.split("/");
  return openapi.components[kind!]![name!] as T;
}

/** Every operation below `paths`. */
export function operationsOf(openapi: OpenApi): { path: string; method: Method; operation: Operation }[] {
  return Object.entries(openapi.paths).flatMap(([path, item]) =>
    METHODS.flatMap((method) => (item[method] ? [{ path, method, operation: item[method] }] : [])),
  );
}

/** The scopes of which an API key needs one; empty for an operation without a key. */
export function scopesOf(operation: Operation): Scope[] {
  return [operation["x-scope"] ?? []].flat();
}

/** Whether the response is kept for repetitions of the call. */
export function takesIdempotencyKey(openapi: OpenApi, { parameters = [] }: Operation): boolean {
  return parameters.some((one) => resolve(openapi, one).name === "Idempotency-Key");
}

/** The status of the success response. */
export function successStatus(operation: Operation): number {
  return Number(Object.keys(operation.responses).find((status) => status.startsWith("2")));
}

/** Whether the body is read as bytes: every body that is not JSON. */
export function hasRawBody(openapi: OpenApi, operation: Operation): boolean {
  if (!operation.requestBody) return false;
  return !("application/json" in resolve(openapi, operation.requestBody).content);
}

/** Whether a JSON body is required. */
export function needsJson(openapi: OpenApi, operation: Operation): boolean {
  if (!operation.requestBody || hasRawBody(openapi, operation)) return false;
  return resolve(openapi, operation.requestBody).required === true;
}

/** Whether the body may also be newline-delimited JSON, read as a stream. */
export function hasLines(openapi: OpenApi, operation: Operation): boolean {
  if (!operation.requestBody) return false;
  return LINES in resolve(openapi, operation.requestBody).content;
}
