/** The schemas by which Fastify validates the requests of an operation and serializes its success response. */
import type { FastifySchema } from "fastify";
import { hasRawBody, type OpenApi, type Operation, type Parameter, resolve } from "./document.ts";

interface JsonContent {
  content?: Record<string, object>;
}

/** Copies a schema with every reference replaced by its target. */
export type Inline = (schema: unknown) => unknown;

/**
 * Returns the schemas of an operation. Header parameters have none, because their users check them; nor have bodies
 * other than JSON, and error responses, which `sendProblem` writes.
 */
export function routeSchemas(openapi: OpenApi, inline: Inline, path: string, operation: Operation): FastifySchema {
  const parameters = [...(openapi.paths[path]!.parameters ?? []), ...(operation.parameters ?? [])].map((one) =>
    resolve(openapi, one),
  );
  const [params, querystring] = (["path", "query"] as const).map((place) => {
    const found = parameters.filter((parameter) => parameter.in === place);
    return found.length > 0 ? inline(parametersSchema(found)) : undefined;
  });
  const body =
    operation.requestBody && !hasRawBody(openapi, operation)
      ? jsonSchema(resolve<JsonContent>(openapi, operation.requestBody), inline)
      : undefined;
  const successes = Object.entries(operation.responses).flatMap(([status, response]) => {
    const schema = status.startsWith("2") && jsonSchema(resolve<JsonContent>(openapi, response), inline);
    return schema ? [[status, schema]] : [];
  });
  return {
    ...(params !== undefined && { params }),
    ...(querystring !== undefined && { querystring }),
    ...(body && { body }),
    ...(successes.length > 0 && { response: Object.fromEntries(successes) }),
  };
}

function parametersSchema(parameters: Parameter[]): object {
  const required = parameters.filter((parameter) => parameter.required).map(({ name }) => name);
  return {
    type: "object",
    properties: Object.fromEntries(parameters.map(({ name, schema }) => [name, schema])),
    ...(required.length > 0 && { required }),
  };
}

function jsonSchema({ content }: JsonContent, inline: Inline): object | undefined {
  const json = content?.["application/json"] as { schema: object } | undefined;
  return json && { content: { "application/json": { schema: inline(json.schema) } } };
}

/** No schema contains itself. Each target is copied once, for all operations. */
export function inliner(openapi: OpenApi): Inline {
  const targets = new Map<string, unknown>();
  const inline: Inline = (value) => {
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return value.map(inline);
    if ("$ref" in value && typeof value.$ref === "string") {
      const ref = value.$ref;
      if (!targets.has(ref)) targets.set(ref, inline(resolve(openapi, { $ref: ref })));
      return targets.get(ref);
    }
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, inline(member)]));
  };
  return inline;
}
