/** How request bodies are read: JSON for most operations, bytes as sent for the topics, lines as they come. */
import { isUtf8 } from "node:buffer";
import type { FastifyInstance, RouteShorthandOptions } from "fastify";
import { Problem } from "../errors.ts";
import { LINES } from "./document.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** The JSON text of the body, "" when there is none: the payload is cut out of it byte for byte. */
    rawJson: string;
    /** The content type, while another one stands in its place. */
    sentType: string | undefined;
  }
  interface FastifyContextConfig {
    /** The body is taken as bytes, whatever its content type. */
    rawBody?: boolean;
    /** There may be a body of JSON, and none means an empty object. */
    optionalJson?: boolean;
    /** The body may be lines of JSON: it is then a stream, of any length. */
    lines?: boolean;
  }
}

const BYTES = "application/octet-stream";

/** Replaces Fastify's parsers: `application/json`, and everything else for the routes that take bytes. */
export function readBodies(app: FastifyInstance): void {
  app.decorateRequest("rawJson", "");
  app.decorateRequest("sentType", undefined);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, (request, bytes, done) => {
    // Clients send the header with an empty body, for instance on DELETE. Where a body is needed validation says so.
    if (bytes.length === 0) return done(null, request.routeOptions.config.optionalJson ? {} : undefined);
    // Decoding would quietly replace what is not UTF-8, and so change the payload.
    if (!isUtf8(bytes as Buffer)) return done(new Problem("invalid_request", "the body is not valid UTF-8"));
    request.rawJson = bytes.toString("utf8");
    try {
      // Fastify's own parser refuses "__proto__" as a name. A payload may have it: what is parsed here is validated,
      // never merged into anything, and a payload is published as its text.
      done(null, JSON.parse(request.rawJson));
    } catch {
      done(new Problem("invalid_request", "the body is not valid JSON"));
    }
  });
  app.addContentTypeParser(LINES, (request, stream, done) => {
    if (request.routeOptions.config.lines) return done(null, stream);
    done(wrongType());
  });
  // By its name as well: what only the asterisk matches is looked up anew each time.
  app.addContentTypeParser([BYTES, "*"], { parseAs: "buffer" }, (request, bytes, done) => {
    if (request.routeOptions.config.rawBody) return done(null, bytes);
    done(wrongType());
  });
}

function wrongType(): Problem {
  return new Problem("unsupported_media_type", "send Content-Type: application/json");
}

/**
 * The hooks of a route that takes bytes. Fastify chooses the parser by content type and refuses types it cannot read, so
 * another one stands in the header while the body is read. It is replaced and not removed: an object that lost a
 * property is slow from then on, and the headers are looked at many times.
 */
export const rawBodyHooks = {
  preParsing(request, _reply, _payload, done) {
    const { headers } = request.raw;
    if (headers["content-type"] !== undefined) {
      request.sentType = headers["content-type"];
      headers["content-type"] = BYTES;
    }
    done();
  },
  preValidation(request, _reply, done) {
    if (request.sentType !== undefined) request.raw.headers["content-type"] = request.sentType;
    request.body ??= Buffer.alloc(0);
    done();
  },
} satisfies RouteShorthandOptions;
