/** Handlers of the operations that every process serves, whatever its roles. */
import type { Handlers } from "../http/contract/index.ts";
import type { Caller } from "../keys/caller.ts";
import type { Readiness } from "../ops/health.ts";

export interface OperationsPorts {
  readiness(): Promise<Readiness>;
  webhooks: {
    /** The ids of all webhooks that the caller may see. */
    visible(caller: Caller): string[];
  };
  /** @param own ids of the only webhooks to report about; absent: everything */
  status(own?: readonly string[]): Promise<Record<string, unknown>>;
  /** @param own likewise */
  metrics(own?: readonly string[]): Promise<{ contentType: string; text: string }>;
}

export function operationsHandlers(ports: OperationsPorts) {
  const ownOf = (caller: Caller) => (caller.may("admin") ? undefined : ports.webhooks.visible(caller));
  return {
    getHealth: () => ({ status: "ok" as const }),
    getReady: async (_request, reply) => {
      const readiness = await ports.readiness();
      return reply.code(readiness.status === "ready" ? 200 : 503).send(readiness);
    },
    getMetrics: async ({ caller }, reply) => {
      const { contentType: type, text } = await ports.metrics(ownOf(caller));
      return reply.type(type).send(text);
    },
    getStatus: ({ caller }) => ports.status(ownOf(caller)),
  } satisfies Partial<Handlers>;
}
