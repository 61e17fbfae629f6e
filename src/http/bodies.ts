/** Reads request bodies: JSON for most operations, raw bytes for topics, newline-delimited JSON as a stream. */
import { isUtf8 } from "node:buffer";
import type { FastifyInstance, RouteShorthandOptions } from "fastify";
import { LINES } from "./document.ts";
import { Problem } from "./problem.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** The JSON text of the body, "" if there is none; the payload is extracted from it byte for byte. */
    rawJson: string;
    /** The original content type while the header is replaced. */
    sentType: string | undefined;
  }
  interface FastifyContextConfig {
    /** The body is read as bytes, whatever its content type. */
    rawBody?: boolean;
    /** A JSON body is optional; no body means an empty object. */
    optionalJson?: boolean;
    /** The body may be newline-delimited JSON: it is then a stream of any length. */
    lines?: boolean;
  }
}

const BYTES = "application/octet-stream";

/** Replaces Fastify's parsers: `application/json`, newline-delimited JSON, and any type for routes that take bytes. */
export function readBodies(app: FastifyInstance): void {
  app.decorateRequest("rawJson", "");
  app.decorateRequest("sentType", undefined);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, (request, bytes, done) => {
    // Clients send the header with an empty body, e.g. on DELETE. Validation reports a missing required body.
    if (bytes.length === 0) return done(null, request.routeOptions.config.optionalJson ? {} : undefined);
    // Decoding would silently replace bytes that are not UTF-8 and thus change the payload.
    if (!isUtf8(bytes as Buffer)) return done(new Problem("invalid_request", "the body is not valid UTF-8"));
    request.rawJson = bytes.toString("utf8");
    try {
      // Fastify's own parser refuses the name "__proto__". A payload may contain it: the parsed value is validated, but
      // never merged into another object, and a payload is published as its text.
      done(null, JSON.parse(request.rawJson));
    } catch {
      done(new Problem("invalid_request", "the body is not valid JSON"));
    }
  });
  app.addContentTypeParser(LINES, (request, stream, done) => {
    if (request.routeOptions.config.lines) return done(null, stream);
    done(wrongType());
  });
  // Also registered by its name: a type that only the asterisk matches is looked up again for each request.
  app.addContentTypeParser([BYTES, "*"], { parseAs: "buffer" }, (request, bytes, done) => {
    if (request.routeOptions.config.rawBody) return done(null, bytes);
    done(wrongType());
  });
}

function wrongType(): Problem {
  return new Problem("unsupported_media_type", "send Content-Type: application/json");
}

/**
 * Hooks of a route that takes bytes. Fastify chooses the parser by content type and refuses types that it cannot parse,
 * so the header holds another type while the body is read. It is replaced, not removed: an object that loses a property
 * stays slow, and the headers are read many times.
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
