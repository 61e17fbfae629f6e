/** A plugin for Fastify with a scope of its own, whose content type parsers leave the body unread. */
import type { FastifyPluginAsync, HTTPMethods } from "fastify";
import type { NodeHandler } from "./body.ts";

export interface FastifyReceiverOptions {
  /** Path of the route. */
  path: string;
}

export type FastifyReceiver = FastifyPluginAsync<FastifyReceiverOptions>;

const METHODS: HTTPMethods[] = ["POST", "PUT", "PATCH", "OPTIONS"];

export function createFastifyPlugin(handler: NodeHandler): FastifyReceiver {
  return async (scope, { path }) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", (_request, _payload, done) => done(null));
    scope.route({
      method: METHODS,
      url: path,
      async handler(request, reply) {
        reply.hijack();
        await handler(request.raw, reply.raw);
      },
    });
  };
}
