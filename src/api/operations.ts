/** Handlers of the operations that every process serves, whatever its roles. */
import type { Handlers } from "../http/contract/index.ts";
import type { Readiness } from "../ops/health.ts";

export interface OperationsPorts {
  readiness(): Promise<Readiness>;
  status(): Promise<Record<string, unknown>>;
  metrics(): Promise<{ contentType: string; text: string }>;
}

export function operationsHandlers(ports: OperationsPorts) {
  return {
    getHealth: () => ({ status: "ok" as const }),
    getReady: async (_request, reply) => {
      const readiness = await ports.readiness();
      return reply.code(readiness.status === "ready" ? 200 : 503).send(readiness);
    },
    getMetrics: async (_request, reply) => {
      const { contentType: type, text } = await ports.metrics();
      return reply.type(type).send(text);
    },
    getStatus: () => ports.status(),
  } satisfies Partial<Handlers>;
}
