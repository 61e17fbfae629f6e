/** The OpenAPI document: as text, as JSON, and in the form from which routes are made. */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import type { Scope } from "../keys/caller.ts";

export interface Parameter {
  name: string;
  in: "path" | "query" | "header";
  schema: { default?: unknown };
}

interface Response {
  description: string;
  content?: Record<string, object>;
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
  /** What a key must be allowed to for this operation. */
  "x-scope"?: Scope;
}

interface Ref {
  $ref: string;
}

interface PathItem extends Partial<Record<Method, Operation>> {
  parameters?: (Parameter | Ref)[];
}

/** As much of an OpenAPI document as we look into. */
export interface OpenApi {
  openapi: string;
  info: unknown;
  security: unknown[];
  paths: Record<string, PathItem>;
  components: Record<string, Record<string, unknown>>;
}

const METHODS = ["get", "put", "post", "delete", "patch"] as const;
type Method = (typeof METHODS)[number];

/** The path whose last part holds slashes. */
const TOPIC_PATH = "/v1/topics/{topic}";

/** Newline-delimited JSON: a body without an end in sight. */
export const LINES = "application/x-ndjson";

/** Reads `openapi/openapi.yaml`: two folders up, from `src/http` as well as from `dist/http`. */
export function loadDocument(): { yaml: string; openapi: OpenApi } {
  const yaml = readFileSync(new URL("../../openapi/openapi.yaml", import.meta.url), "utf8");
  return { yaml, openapi: parse(yaml) };
}

/** Follows `#/components/…`; anything else is answered as it is. */
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

/** The document with only the operations that are wanted. */
export function withOperations(openapi: OpenApi, isWanted: (operationId: string) => boolean): OpenApi {
  const paths: Record<string, PathItem> = {};
  for (const { path, method, operation } of operationsOf(openapi)) {
    if (!isWanted(operation.operationId)) continue;
    const { parameters } = openapi.paths[path]!;
    paths[path] = { ...(parameters && { parameters }), ...paths[path], [method]: operation };
  }
  return { ...openapi, paths };
}

/** The status of the success answer. */
export function successStatus(operation: Operation): number {
  return Number(Object.keys(operation.responses).find((status) => status.startsWith("2")));
}

/** Whether the body is taken as bytes: whatever is not JSON. */
export function hasRawBody(openapi: OpenApi, operation: Operation): boolean {
  if (!operation.requestBody) return false;
  return !("application/json" in resolve(openapi, operation.requestBody).content);
}

/** Whether there must be a body, of JSON. */
export function needsJson(openapi: OpenApi, operation: Operation): boolean {
  if (!operation.requestBody || hasRawBody(openapi, operation)) return false;
  return resolve(openapi, operation.requestBody).required === true;
}

/** Whether the body may also be lines of JSON, read as they come. */
export function hasLines(openapi: OpenApi, operation: Operation): boolean {
  if (!operation.requestBody) return false;
  return LINES in resolve(openapi, operation.requestBody).content;
}

/**
 * The document with only what routes need, so that starting and serving stay cheap: the topic as a wildcard, because
 * it holds slashes; no header parameters, which are checked where they are used; of the responses only the JSON of a
 * success, for which a serialiser is made. Problems are written by one function of ours.
 */
export function routable(openapi: OpenApi): OpenApi {
  const { openapi: version, info, security, components } = openapi;
  const paths: Record<string, PathItem> = {};
  for (const { path, method, operation } of operationsOf(openapi)) {
    const url = path === TOPIC_PATH ? "/v1/topics/*" : path;
    const shared = url === path ? openapi.paths[path]?.parameters : undefined;
    paths[url] ??= shared ? { parameters: shared } : {};
    paths[url][method] = lean(openapi, operation);
  }
  const { parameters = {}, schemas = {}, securitySchemes = {} } = components;
  return { openapi: version, info, security, paths, components: { parameters, schemas, securitySchemes } };
}

function lean(openapi: OpenApi, operation: Operation): Operation {
  const { operationId, parameters, requestBody, responses } = operation;
  const successes = Object.keys(responses).filter((status) => status.startsWith("2"));
  return {
    operationId,
    ...(parameters && { parameters: parameters.filter((one) => resolve(openapi, one).in !== "header") }),
    ...(requestBody && !hasRawBody(openapi, operation) && { requestBody: jsonOnly(resolve(openapi, requestBody)) }),
    responses: Object.fromEntries(successes.map((status) => [status, jsonOnly(resolve(openapi, responses[status]!))])),
  };
}

function jsonOnly({ content }: { content?: Record<string, object> }): Required<Response> {
  const json = content?.["application/json"];
  return { description: "", content: json ? { "application/json": json } : {} };
}
