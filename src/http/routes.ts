/** Routes for the contract's operations. */
import type { FastifyInstance, HTTPMethods, RouteHandlerMethod, RouteOptions } from "fastify";
import FindMyWay from "find-my-way";
import type { FieldError } from "../errors.ts";
import type { Scope } from "../keys/caller.ts";
import { rawBodyHooks } from "./bodies.ts";
import type { Handlers, OperationId } from "./contract/index.ts";
import {
  hasLines,
  hasRawBody,
  needsJson,
  type OpenApi,
  type Operation,
  operationsOf,
  scopesOf,
  successStatus,
  takesIdempotencyKey,
} from "./document.ts";
import { idempotencyHooks } from "./idempotency.ts";
import type { IdempotencyKeys } from "./idempotency-keys.ts";
import { fieldsProblem } from "./problem.ts";
import { type Inline, inliner, routeSchemas } from "./route-schemas.ts";
import { schemaCheck, serializerCompiler, validatorCompiler } from "./validation.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** Served without an API key. */
    open?: boolean;
    /** For a body with several messages, which are validated individually. */
    items?: {
      /** Returns the contract violations of a message; fills in the defaults. */
      faults(item: unknown): FieldError[];
      /** Maximum length of a line in a streamed body. */
      maxBytes: number;
    };
    /** Scopes of which the API key needs one. */
    scopes?: Scope[];
  }
}

export interface RoutesOptions {
  openapi: OpenApi;
  /** Operations without a handler are not served. */
  handlers: Partial<Handlers>;
  expiringKeys: IdempotencyKeys;
  maxPayloadBytes: number;
}

/** The methods that a path allows, separated by commas; undefined for an unknown path. */
export type AllowedMethods = (url: string) => string | undefined;

/** Registers every operation that has a handler, and returns the methods of their paths. */
export function registerRoutes(app: FastifyInstance, options: RoutesOptions): AllowedMethods {
  const { openapi, handlers } = options;
  const served = new Map<string, HTTPMethods[]>();
  app.setValidatorCompiler(validatorCompiler());
  app.setSerializerCompiler(serializerCompiler);
  app.decorateRequest("idempotency", null);
  app.decorateRequest("onceALine", null);
  app.decorateRequest("onceRemade", null);
  app.addHook("onRoute", ({ url, method }) => {
    served.set(url, [...(served.get(url) ?? []), ...[method].flat()] as HTTPMethods[]);
  });
  const idempotency = idempotencyHooks(options.expiringKeys);
  const inline = inliner(openapi);
  for (const { path, method, operation } of operationsOf(openapi)) {
    if (!((operation.operationId as OperationId) in handlers)) continue;
    app.route({
      method,
      url: urlOf(path),
      schema: schemasOf(openapi, inline, path, operation),
      ...routeSettings(options, path, operation),
      // Without a key, responses are not kept: a sign-in sets a cookie, and keys of different callers would collide.
      ...(method === "post" && takesIdempotencyKey(openapi, operation) && idempotency),
    });
  }
  return methodsByPath(served);
}

/** The path in the router's syntax. A topic becomes a wildcard, because it contains slashes. */
function urlOf(path: string): string {
  return path.replace("{topic}", "*").replace(/{(\w+)}/g, ":$1");
}

/** An operation without query parameters refuses all of them. Probes are exempt: some add one to bypass caches. */
function schemasOf(openapi: OpenApi, inline: Inline, path: string, operation: Operation) {
  const schemas = routeSchemas(openapi, inline, path, operation);
  if (path.startsWith("/v1/")) schemas.querystring ??= { type: "object", properties: {} };
  return schemas;
}

/** Schemas of messages that are validated individually. */
const ITEMS: Partial<Record<string, string>> = { publishBatch: "MessageInput", previewWebhook: "SampleMessage" };

/** Operations that remake their response for a repetition. */
const REMADE: ReadonlySet<string> = new Set(["pullDeliveries"]);

/** Limit of a body with several messages: a thousand of 32 KiB. */
const MAX_BATCH_BYTES = 32 * 1024 * 1024;

/** Handler, limits and hooks of an operation. */
function routeSettings({ openapi, handlers, maxPayloadBytes }: RoutesOptions, path: string, operation: Operation) {
  // JSON is larger than its payload: base64 makes it 4/3 of the size, \u escapes and the other fields add more.
  const jsonLimit = maxPayloadBytes * 2 + 65_536;
  const raw = hasRawBody(openapi, operation);
  const lines = hasLines(openapi, operation);
  const item = ITEMS[operation.operationId];
  const handler = handlers[operation.operationId as OperationId] as RouteHandlerMethod;
  return {
    handler: withStatus(handler, successStatus(operation)),
    bodyLimit: raw ? maxPayloadBytes : lines ? Math.max(jsonLimit, MAX_BATCH_BYTES) : jsonLimit,
    config: {
      open: operation.security?.length === 0,
      scopes: scopesOf(operation),
      rawBody: raw,
      optionalJson: operation.requestBody !== undefined && !raw && !needsJson(openapi, operation),
      lines,
      isRemade: REMADE.has(operation.operationId),
      ...(item !== undefined && {
        items: { faults: schemaCheck(openapi.components.schemas, item), maxBytes: jsonLimit },
      }),
    },
    ...(path.includes("{topic}") && { onRequest: nameTopic }),
    ...(raw && rawBodyHooks),
    ...(needsJson(openapi, operation) && { preValidation: refuseNoBody }),
  } satisfies Partial<RouteOptions>;
}

/** Sets the contract's success status before the handler runs. */
function withStatus(handler: RouteHandlerMethod, status: number): RouteHandlerMethod {
  if (status === 200) return handler;
  return async function (request, reply) {
    reply.code(status);
    return handler.call(this, request, reply);
  };
}

/** Renames the wildcard parameter `*`, which the router has decoded once, to `topic`. */
const nameTopic: RouteOptions["onRequest"] = (request, _reply, done) => {
  request.params = { topic: (request.params as { "*": string })["*"] };
  done();
};

/** Fastify validates by content type and would therefore skip a request with neither type nor body. */
const refuseNoBody: RouteOptions["preValidation"] = (request, _reply, done) => {
  const isMissing = request.body === undefined && request.headers["content-type"] === undefined;
  done(isMissing ? fieldsProblem([{ path: "", message: "is required" }]) : undefined);
};

/**
 * Returns the methods of a known path as the value of `Allow`, undefined for an unknown path. Its router is made for the
 * first request that no route serves: routes for all other methods would take as long as the served ones at every start.
 */
function methodsByPath(served: ReadonlyMap<string, HTTPMethods[]>): AllowedMethods {
  let router: FindMyWay.Instance<FindMyWay.HTTPVersion.V1> | undefined;
  const build = () => {
    // Node limits the length of a request's path.
    const built = FindMyWay({ maxParamLength: Number.MAX_SAFE_INTEGER });
    for (const [url, methods] of served) built.on("GET", url, () => undefined, methods.join(", "));
    return built;
  };
  return (url) => {
    router ??= build();
    return router.find("GET", url)?.store as string | undefined;
  };
}
