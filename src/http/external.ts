/** Paths and clients as they are outside: below `BASE_PATH`, and before a trusted proxy. */
import type { IncomingMessage } from "node:http";
import type { FastifyInstance } from "fastify";
import { isPathPrefix } from "../lib/path-prefix.ts";

declare module "fastify" {
  interface FastifyRequest {
    readonly external: External;
  }
}

export interface External {
  /** Path prefix of all URLs that the client sees, such as `/iot`; "" for none. */
  prefix: string;
  /** Whether the client uses TLS. */
  isSecure: boolean;
  /** IP address of the client. */
  address: string;
}

export interface ExternalOptions {
  /** Prefix of all paths but the probes; "" for none. */
  basePath?: string;
  /** Whether headers of a proxy are believed. Every client can send them, so all clients must go through the proxy. */
  trustProxy?: boolean;
}

/** Paths without the prefix: orchestrators call them directly. */
const PROBES = ["/healthz", "/readyz"];
/** A path that no route has, for requests outside the prefix. */
const OUTSIDE = "/-";

/** Creates Fastify's `rewriteUrl`: removes the prefix, so that all routes and handlers are independent of it. */
export function createRewrite({ basePath = "" }: ExternalOptions): { rewriteUrl?(request: IncomingMessage): string } {
  if (basePath === "") return {};
  const rewriteUrl = ({ url = "" }: IncomingMessage): string => {
    const [path] = url.split("?", 1) as [string];
    if (PROBES.includes(path)) return url;
    if (path === basePath) return `/${url.slice(basePath.length)}`;
    return url.startsWith(`${basePath}/`) ? url.slice(basePath.length) : OUTSIDE;
  };
  return { rewriteUrl };
}

/** Adds {@link External} to the requests, and the prefix to the `Location` of the API's responses. */
export function addExternal(app: FastifyInstance, options: ExternalOptions): void {
  const { basePath = "", trustProxy = false } = options;
  app.decorateRequest("external", {
    getter() {
      return trustProxy ? behindProxy(this.raw, basePath) : direct(this.raw, basePath);
    },
  });
  if (basePath === "" && !trustProxy) return;
  app.addHook("onSend", (request, reply, payload, done) => {
    const location = reply.getHeader("location");
    // The replay of an idempotent request already has the prefix; no prefix begins with /v1.
    if (typeof location === "string" && location.startsWith("/v1/")) {
      reply.header("location", request.external.prefix + location);
    }
    done(null, payload);
  });
}

function direct({ socket }: IncomingMessage, prefix: string): External {
  return { prefix, isSecure: false, address: socket.remoteAddress ?? "" };
}

/** Reads the headers that the nearest proxy sets; of several values it added the last one. */
function behindProxy({ headers, socket }: IncomingMessage, basePath: string): External {
  const last = (name: string) => headers[name]?.toString().split(",").at(-1)?.trim();
  const forwarded = [last("x-forwarded-prefix"), last("x-ingress-path")].flatMap(
    (path) => path?.replace(/\/+$/, "") || [],
  );
  return {
    // The prefix of the proxy is the whole one, whether or not the proxy removes it.
    prefix: forwarded.find(isPathPrefix) ?? basePath,
    isSecure: last("x-forwarded-proto") === "https",
    address: last("x-forwarded-for") || (socket.remoteAddress ?? ""),
  };
}
