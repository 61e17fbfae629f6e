/** The OpenAPI document: as text, as JSON, and reduced to the form from which the routes are built. */
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
  /** Scope that an API key needs for this operation. */
  "x-scope"?: Scope;
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

/** The path whose parameter may contain slashes. */
const TOPIC_PATH = "/v1/topics/{topic}";

/** Newline-delimited JSON: a body of unlimited length. */
export const LINES = "application/x-ndjson";

/** Reads `openapi/openapi.yaml`, two folders up from both `src/http` and `dist/http`. */
export function loadDocument(): { yaml: string; openapi: OpenApi } {
  const yaml = readFileSync(new URL("../../openapi/openapi.yaml", import.meta.url), "utf8");
  return { yaml, openapi: parse(yaml) };
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

/** The document reduced to the wanted operations. */
export function withOperations(openapi: OpenApi, isWanted: (operationId: string) => boolean): OpenApi {
  const paths: Record<string, PathItem> = {};
  for (const { path, method, operation } of operationsOf(openapi)) {
    if (!isWanted(operation.operationId)) continue;
    const { parameters } = openapi.paths[path]!;
    paths[path] = { ...(parameters && { parameters }), ...paths[path], [method]: operation };
  }
  return { ...openapi, paths };
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

/**
 * The document reduced to the parts that routes need, which keeps startup and serving cheap. The topic becomes a
 * wildcard, because it contains slashes. Header parameters are left out, because their users check them. Responses
 * keep only the JSON of a success, for which Fastify builds a serializer; `sendProblem` writes Problems.
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
