/** The HTTP server: one Fastify app built from the contract, with authentication, problem responses and documents. */
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from "fastify";
import type { Caller } from "../keys/caller.ts";
import { type Authentication, callerOf } from "./auth.ts";
import { readBodies } from "./bodies.ts";
import type { Handlers } from "./contract/index.ts";
import { createCors } from "./cors.ts";
import { type DashboardOptions, serveDashboard } from "./dashboard.ts";
import { serveDocs } from "./docs.ts";
import { loadDocument } from "./document.ts";
import { addExternal, createRewrite, type ExternalOptions } from "./external.ts";
import type { IdempotencyKeys } from "./idempotency-keys.ts";
import { fieldProblem, Problem } from "./problem.ts";
import { type Explain, errorHandler, handleClientError, sendProblem } from "./problems.ts";
import { rateHeaders, requireRate } from "./rate-limit.ts";
import { type AllowedMethods, registerRoutes } from "./routes.ts";
import { enforceTimeouts, HTTP_TIMEOUTS, type HttpTimeouts } from "./timeouts.ts";

export interface AppOptions extends Authentication, ExternalOptions, DashboardOptions {
  /** All handlers of the contract, unless {@link AppOptions.absent} is set. */
  handlers: Partial<Handlers>;
  /** Why this process does not serve the API; the detail of the 404 for every path without a handler. */
  absent?: string | undefined;
  /** Maximum payload size; also the limit of raw bodies. */
  maxPayloadBytes: number;
  expiringKeys: IdempotencyKeys;
  /** Origins whose pages may call the API. */
  corsOrigins?: readonly string[];
  /** Maps known errors of other parts to Problems, e.g. an unavailable store. */
  explain?: Explain;
  /** Absent or false: no log. */
  logger?: FastifyBaseLogger | false;
  /** True once the process is shutting down: every request then gets a 503. */
  isClosing?: () => boolean;
  /** For tests, which cannot wait two minutes. */
  timeouts?: Partial<HttpTimeouts>;
}

/** A topic has up to 65,535 bytes, each of which may be percent-encoded, and the request has other headers as well. */
const MAX_HEADER_BYTES = 256 * 1024;

/** Builds the app; it does not listen yet. */
export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const document = await loadDocument();
  const limits = { ...HTTP_TIMEOUTS, ...options.timeouts };
  const onError = errorHandler(options.explain);
  const cors = createCors(options.corsOrigins ?? []);
  let closed = false;
  let allowed: AllowedMethods = () => undefined;
  const isClosing = () => closed || options.isClosing?.() === true;
  const admit = gate({ ...options, isClosing, isKnown: (url) => allowed(url) !== undefined });
  const app = Fastify({
    ...(options.logger ? { loggerInstance: options.logger } : { logger: false }),
    // The bridge writes its own log line per unit of work.
    childLoggerFactory: (logger) => logger,
    logController: new LogController({ disableRequestLogging: true }),
    http: {
      maxHeaderSize: MAX_HEADER_BYTES,
      // Node would refuse it with an empty response; the gate checks it instead.
      requireHostHeader: false,
      headersTimeout: limits.headersMs,
      connectionsCheckingInterval: limits.checkMs,
    },
    // The default, and it must stay: a stream of messages may last as long as it needs. See enforceTimeouts.
    requestTimeout: 0,
    ...createRewrite(options),
    // Topics beyond MQTT's limit must reach the check that reports them.
    routerOptions: { maxParamLength: MAX_HEADER_BYTES },
    // The gate responds with a Problem instead.
    return503OnClosing: false,
    clientErrorHandler: handleClientError,
    frameworkErrors: (_error, request, reply) => {
      if (cors(request, reply)) return;
      const refuse = (problem = badUrl(request)) => sendProblem(reply, problem);
      const admitted = admit(request, reply);
      if (!(admitted instanceof Promise)) return refuse(admitted);
      void admitted.then(refuse, (error) => onError(error, request, reply));
    },
  });
  enforceTimeouts(app.server, limits);
  // Node would respond 417 without a body. An unknown expectation may be ignored (RFC 9110 section 10.1.1).
  app.server.on("checkExpectation", (request, response) => app.server.emit("request", request, response));
  // After a chunked body with Upgrade, which the bridge ignores, Node reads nothing more from the connection.
  app.server.prependListener("request", ({ headers }, response) => {
    if (headers.upgrade !== undefined) response.shouldKeepAlive = false;
  });
  // The gate sets it before any handler that needs it.
  app.decorateRequest("caller", null as unknown as Caller);
  app.decorateRequest("session", null);
  addExternal(app, options);
  app.addHook("preClose", (done) => {
    closed = true;
    done();
  });
  app.setErrorHandler(onError);
  app.addHook("onRequest", (request, reply, done) => {
    reply.header("x-content-type-options", "nosniff");
    if (cors(request, reply)) return;
    const unserved = () => otherMethod(allowed(request.url)) ?? notFound(options.absent);
    const go = (problem?: Problem) => done(problem ?? (request.is404 ? unserved() : undefined));
    const admitted = admit(request, reply);
    if (admitted instanceof Promise) admitted.then(go, done);
    else go(admitted);
  });
  // The hook above has already responded; without a custom handler Fastify would not run hooks on unknown paths.
  app.setNotFoundHandler((_request, reply) => sendProblem(reply, notFound(options.absent)));
  readBodies(app);
  await app.register(async (scope) => {
    allowed = registerRoutes(scope, { ...options, openapi: document.openapi });
  });
  if (options.absent === undefined) {
    await app.register((scope) => serveDocs(scope, document));
    await app.register((scope) => serveDashboard(scope, options));
  }
  await app.ready();
  return app;
}

interface GateOptions extends Authentication, Pick<AppOptions, "isClosing"> {
  /** Whether the path has another method. */
  isKnown(url: string): boolean;
}

/** Decides whether a request is refused, before its body is read; at once, except for requests with a session. */
function gate({ isClosing, isKnown, ...authentication }: GateOptions) {
  return (request: FastifyRequest, reply: FastifyReply): Problem | undefined | Promise<Problem | undefined> => {
    if (isClosing?.()) return shuttingDown();
    // RFC 9112 section 3.2.
    if (request.raw.httpVersion === "1.1" && request.headers.host === undefined) return noHost();
    const { open, scopes = [] } = request.routeOptions.config;
    if (request.is404 ? isOpen(request.url, isKnown(request.url)) : open === true) return undefined;
    const enter = (caller: Caller): undefined => {
      // Counted before the scope is checked: calls beyond the key's scope are rate-limited as well.
      const allowance = requireRate(caller, 1);
      if (allowance) reply.headers(rateHeaders(allowance));
      if (scopes.length > 0 && !scopes.some((scope) => caller.may(scope))) {
        const detail = `this operation requires a key with the scope ${scopes.join(" or ")}`;
        throw new Problem("insufficient_scope", detail);
      }
      request.caller = caller;
      return undefined;
    };
    try {
      const caller = callerOf(request, authentication);
      return caller instanceof Promise ? caller.then(enter).catch(problemIn) : enter(caller);
    } catch (error) {
      return problemIn(error);
    }
  };
}

/** Whether a request that no route serves needs no key. */
function isOpen(url: string, isKnown: boolean): boolean {
  // Callers of hooks have no key, and a 401 would ask for one.
  if (isKnown) return url.startsWith("/in/");
  // Without a key, unknown paths below /v1 are indistinguishable from known ones.
  return !url.startsWith("/v1");
}

function problemIn(error: unknown): Problem {
  if (error instanceof Problem) return error;
  throw error;
}

/** The router could not decode the path. */
function badUrl(request: FastifyRequest): Problem {
  const message = "must be valid percent-encoded UTF-8";
  if (request.url.startsWith("/v1/topics/")) return fieldProblem("invalid_topic", "topic", message);
  return fieldProblem("invalid_request", "path", message);
}

function noHost(): Problem {
  return fieldProblem("invalid_request", "header.host", "is required");
}

/** @param allow undefined if the path is unknown */
function otherMethod(allow: string | undefined): Problem | undefined {
  return allow === undefined ? undefined : new Problem("method_not_allowed", `use ${allow}`, { headers: { allow } });
}

function notFound(detail = "there is nothing at this path"): Problem {
  return new Problem("not_found", detail);
}

function shuttingDown(): Problem {
  return new Problem("shutting_down", "this instance is shutting down and accepts no more requests", {
    headers: { connection: "close" },
  });
}
