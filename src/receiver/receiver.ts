/** The library for programs that receive the calls of webhooks. */
import type { IncomingHttpHeaders } from "node:http";
import { type NodeHandler, readFetchBody, readNodeBody } from "./body.ts";
import { Deduplication } from "./deduplication.ts";
import type { ReceivedEvent } from "./event.ts";
import { createFastifyPlugin, type FastifyReceiver } from "./fastify.ts";
import { type HandledIds, MemoryIds } from "./handled-ids.ts";
import { type Responder, respondTo } from "./responses.ts";
import { type CallHeaders, SignatureVerifier } from "./signature.ts";

export interface ReceiverOptions {
  /** `secret` in the response to the registration of the webhook; several while a secret is rotated. */
  secret: string | readonly string[];
  /**
   * Stores or handles an event. Its result is the reply of webhooks with `replyTopic`; see {@link Reply}. After an
   * error the bridge delivers the event again: at once after a {@link RetryLater}, never after a {@link Gone}.
   */
  onMessage(event: ReceivedEvent): unknown;
  /** Remembers handled events; default: {@link MemoryIds}. Share one between instances. */
  store?: HandledIds;
  /** Largest difference between the clocks of bridge and receiver; default 300. */
  toleranceSeconds?: number;
  /** Larger calls are refused with 413; default 32 MiB, enough for every call of the bridge. */
  maxBodyBytes?: number;
  /** Bridges (`WebHook-Request-Origin`) that pass the ownership check; default: all. */
  allowedOrigins?: readonly string[];
  /** Called with each error that caused a response of 500, or the failure of an event in a batch; default: logs it. */
  onError?(error: unknown, event?: ReceivedEvent): void;
  /** Milliseconds since the epoch; default: the clock. */
  now?(): number;
}

export interface WebhookReceiver {
  /** For servers with the types of fetch: Hono, Next, Deno, Bun, Workers. Never rejects. */
  receive(request: Request): Promise<Response>;
  /** For `createServer` of `node:http`. */
  node: NodeHandler;
  /** For `app.all(path, receiver.express)`, before a body parser. */
  express: NodeHandler;
  /** For `app.register(receiver.fastify, { path })`. */
  fastify: FastifyReceiver;
}

/** The largest payload, 16 MiB, as base64 and with its attributes. */
const MAX_BODY_BYTES = 32 * 1024 * 1024;

/** Throws a TypeError when a secret is malformed. */
export function createReceiver(options: ReceiverOptions): WebhookReceiver {
  const { secret, onMessage, store = new MemoryIds(), onError = logError, maxBodyBytes = MAX_BODY_BYTES } = options;
  const { toleranceSeconds = 300, now = Date.now, allowedOrigins } = options;
  const verifier = new SignatureVerifier({ secrets: [secret].flat(), toleranceSeconds, now });
  const deduplication = new Deduplication({ handle: onMessage, ids: store, onError });
  const responder: Responder = {
    ...(allowedOrigins && { allowedOrigins }),
    verify: (headers, body) => verifier.verify(headers, body),
    handle: (event) => deduplication.handle(event),
    onError,
  };

  const node: NodeHandler = async (request, response) => {
    const readBody = () => readNodeBody(request, maxBodyBytes);
    const call = { method: request.method ?? "", headers: flat(request.headers), readBody };
    const { status, headers, body } = await respondTo(call, responder);
    response.writeHead(status, headers).end(body);
  };
  return {
    async receive(request) {
      const readBody = () => readFetchBody(request, maxBodyBytes);
      const call = { method: request.method, headers: Object.fromEntries(request.headers), readBody };
      const { status, headers, body = null } = await respondTo(call, responder);
      return new Response(body, { status, headers });
    },
    node,
    express: node,
    fastify: createFastifyPlugin(node),
  };
}

/** Node.js joins the values of a repeated header, except of `set-cookie`, which no request has. */
function flat(headers: IncomingHttpHeaders): CallHeaders {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value?.toString()]));
}

function logError(error: unknown, event?: ReceivedEvent): void {
  console.error(event ? `webhook event ${event.id}:` : "webhook call:", error);
}
