/** The web edge: one Fastify app made from the contract, with authentication, problem replies and documents. */
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from "fastify";
import { fieldProblem, Problem } from "../errors.ts";
import { type Caller, rateHeaders, requireRate } from "../keys/caller.ts";
import { type Authenticate, callerOf } from "./auth.ts";
import { readBodies } from "./bodies.ts";
import type { Handlers } from "./contract/index.ts";
import { serveDocs } from "./docs.ts";
import { loadDocument } from "./document.ts";
import type { ExpiringKeys } from "./idempotency.ts";
import { type Explain, errorHandler, handleClientError, sendProblem } from "./problems.ts";
import { registerRoutes } from "./routes.ts";
import { enforceTimeouts, HTTP_TIMEOUTS, type HttpTimeouts } from "./timeouts.ts";

export interface AppOptions {
  /** All of the contract's, unless {@link AppOptions.absent} says why not. */
  handlers: Partial<Handlers>;
  /** Why this process does not serve the API, for people: every path that has no handler is answered so. */
  absent?: string | undefined;
  authenticate: Authenticate;
  /** The longest payload; the exact limit of raw bodies. */
  maxPayloadBytes: number;
  expiringKeys: ExpiringKeys;
  /** Tells what the errors of the parts behind the handlers mean, e.g. that the store is away. */
  explain?: Explain;
  /** Absent or false: silence. */
  logger?: FastifyBaseLogger | false;
  /** True once the process is about to end: every request is then answered 503. */
  isClosing?: () => boolean;
  /** For tests, which have no two minutes. */
  timeouts?: Partial<HttpTimeouts>;
}

/** A topic has up to 65,535 bytes, each of which may be percent-encoded, and the request has other headers too. */
const MAX_HEADER_BYTES = 256 * 1024;

/** Builds the app; it does not listen yet. */
export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const document = loadDocument();
  const patience = { ...HTTP_TIMEOUTS, ...options.timeouts };
  let closed = false;
  const admit = gate({ ...options, isClosing: () => closed || options.isClosing?.() === true });
  const app = Fastify({
    ...(options.logger ? { loggerInstance: options.logger } : { logger: false }),
    // We write our own line for each unit of work.
    childLoggerFactory: (logger) => logger,
    logController: new LogController({ disableRequestLogging: true }),
    http: {
      maxHeaderSize: MAX_HEADER_BYTES,
      // Node would refuse it with an empty answer; see the gate.
      requireHostHeader: false,
      headersTimeout: patience.headersMs,
      connectionsCheckingInterval: patience.lookMs,
    },
    // The default, and it must stay: a stream of messages takes as long as it takes. See limitPatience.
    requestTimeout: 0,
    // Longer topics than MQTT allows must reach the check that says so.
    routerOptions: { maxParamLength: MAX_HEADER_BYTES },
    // Our own answer is a problem; see the gate.
    return503OnClosing: false,
    clientErrorHandler: handleClientError,
    frameworkErrors: (_error, request, reply) => sendProblem(reply, admit(request, reply) ?? badUrl(request)),
  });
  enforceTimeouts(app.server, patience);
  // Node would answer 417 without a body. An expectation that is not known may be ignored (RFC 9110 section 10.1.1).
  app.server.on("checkExpectation", (request, response) => app.server.emit("request", request, response));
  // Node reads nothing more from a connection after a body that came in pieces with Upgrade, which we ignore.
  app.server.prependListener("request", ({ headers }, response) => {
    if (headers.upgrade !== undefined) response.shouldKeepAlive = false;
  });
  // The gate sets it before any handler that needs it.
  app.decorateRequest("caller", null as unknown as Caller);
  app.addHook("preClose", (done) => {
    closed = true;
    done();
  });
  app.setErrorHandler(errorHandler(options.explain));
  app.addHook("onRequest", (request, reply, done) => {
    reply.header("x-content-type-options", "nosniff");
    done(admit(request, reply) ?? (request.is404 ? notFound(options.absent) : undefined));
  });
  // The hook above has answered already; without a handler of its own Fastify would not run hooks on unknown paths.
  app.setNotFoundHandler((_request, reply) => sendProblem(reply, notFound(options.absent)));
  readBodies(app);
  await app.register((scope) => registerRoutes(scope, { ...options, openapi: document.openapi }));
  if (options.absent === undefined) await app.register((scope) => serveDocs(scope, document));
  await app.ready();
  return app;
}

/** Who may come in: the refusal of a request, decided before its body is read. */
function gate({ authenticate, isClosing }: Pick<AppOptions, "authenticate" | "isClosing">) {
  return (request: FastifyRequest, reply: FastifyReply): Problem | undefined => {
    if (isClosing?.()) return shuttingDown();
    // RFC 9112 section 3.2.
    if (request.raw.httpVersion === "1.1" && request.headers.host === undefined) return noHost();
    const { open, scope } = request.routeOptions.config;
    // Unknown paths below /v1 are not told from known ones without a key.
    if (request.is404 ? !request.url.startsWith("/v1") : open === true) return undefined;
    try {
      const caller = callerOf(request, authenticate);
      // Before the scope is looked at: a program that asks for what it may not is held up as well.
      const allowance = requireRate(caller, 1);
      if (allowance) reply.headers(rateHeaders(allowance));
      if (scope !== undefined && !caller.may(scope)) {
        throw new Problem("insufficient_scope", `this takes a key with the scope ${scope}`);
      }
      request.caller = caller;
      return undefined;
    } catch (error) {
      if (error instanceof Problem) return error;
      throw error;
    }
  };
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

function notFound(detail = "there is nothing at this path"): Problem {
  return new Problem("not_found", detail);
}

function shuttingDown(): Problem {
  return new Problem("shutting_down", "this instance takes no more requests", { headers: { connection: "close" } });
}
