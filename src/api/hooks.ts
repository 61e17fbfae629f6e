/** Handlers for inbound hooks: their registrations, and the calls of other services. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { rawMember } from "../downlink/payload.ts";
import type { HookMethod } from "../hooks/hook.ts";
import type { HookCalls } from "../hooks/hook-calls.ts";
import type { SampleCall } from "../hooks/preview.ts";
import type { HookService } from "../hooks/service.ts";
import type { Handlers, OperationRequest } from "../http/contract/index.ts";
import { Problem, problemOf, unwrap } from "../http/problem.ts";
import { unwrapIn } from "./preview.ts";

export interface HookPorts {
  hooks: HookService;
  hookCalls: Pick<HookCalls, "call">;
}

export function hookHandlers({ hooks, hookCalls }: HookPorts) {
  const outside = <T extends { path: string }>(request: FastifyRequest, hook: T): T => ({
    ...hook,
    path: request.external.prefix + hook.path,
  });
  const call = async (request: HookRequest, reply: FastifyReply) => {
    const { params, query, headers, body, external, method } = request;
    const called = await hookCalls.call(params.token, {
      method: method as HookMethod,
      query: query as Record<string, unknown>,
      headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value?.toString()])),
      body: body ?? Buffer.alloc(0),
      address: external.address,
    });
    switch (called.kind) {
      case "done":
        if (called.repeated) reply.header("idempotent-replayed", "true");
        reply.code(called.result.outcome === "queued" ? 202 : 200);
        return called.result;
      case "text":
        return reply.code(200).type("text/plain; charset=utf-8").send(called.text);
      case "not_found":
        throw new Problem("not_found", "there is nothing at this path");
      case "wrong_method": {
        const allow = called.allowed.join(", ");
        throw new Problem("method_not_allowed", `use ${allow}`, { headers: { allow } });
      }
      case "unverified":
        throw new Problem("unauthorized", "the call could not be verified", {
          headers: { "www-authenticate": `${called.challenge} realm="hook"` },
        });
      case "refused":
        throw problemOf(called.refused);
    }
  };
  return {
    createHook: async (request, reply) => {
      const hook = outside(request, unwrap(await hooks.create(request.body, request.caller)));
      reply.header("location", `/v1/hooks/${hook.id}`);
      return hook;
    },
    previewHook: async (request) =>
      unwrapIn("hook", await hooks.preview(request.body.hook, sampleOf(request), request.caller)),
    putHook: async (request, reply) => {
      const { params, body, caller } = request;
      const { created, registered } = unwrap(await hooks.put(params.externalId, body, caller));
      reply.code(created ? 201 : 200);
      if (created) reply.header("location", `/v1/hooks/${registered.id}`);
      return outside(request, registered);
    },
    listHooks: async (request) => {
      const { items, nextCursor } = unwrap(await hooks.list(request.query, request.caller));
      return { items: items.map((hook) => outside(request, hook)), nextCursor };
    },
    getHook: async (request) => outside(request, unwrap(await hooks.get(request.params.id, request.caller))),
    updateHook: async (request) =>
      outside(request, unwrap(await hooks.update(request.params.id, request.body, request.caller))),
    deleteHook: async ({ params, caller }) => unwrap(await hooks.remove(params.id, caller)),
    callHookByGet: call,
    callHookByPost: call,
    callHookByPut: call,
    callHookByPatch: call,
    callHookByDelete: call,
  } satisfies Partial<Handlers>;
}

/** Takes the body from the raw JSON, so that numbers keep their digits. */
function sampleOf({ body: { call = {} }, rawJson }: OperationRequest<"previewHook">): SampleCall {
  const { method, query, headers } = call;
  const given = { ...(method && { method }), ...(query && { query }), ...(headers && { headers }) };
  if (call.body === undefined) return given;
  const body =
    typeof call.body === "string"
      ? { bytes: Buffer.from(call.body), contentType: "text/plain" }
      : { bytes: Buffer.from(rawMember(rawMember(rawJson, "call")!, "body")!), contentType: "application/json" };
  return { ...given, body };
}

interface HookRequest extends Pick<FastifyRequest, "query" | "headers" | "external" | "method"> {
  params: { token: string };
  body: Buffer | undefined;
}
