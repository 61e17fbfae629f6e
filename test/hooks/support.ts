/** Hooks over records in memory, and JSONata in the test process. */
import jsonata from "jsonata";
import { SenderDeliveries } from "../../src/hooks/deliveries.ts";
import { type Evaluate, HookExpressions } from "../../src/hooks/evaluation.ts";
import type { Hook } from "../../src/hooks/hook.ts";
import { HookCalls } from "../../src/hooks/hook-calls.ts";
import { HookLimits } from "../../src/hooks/limits.ts";
import type { CallOutcome, HookMessage } from "../../src/hooks/outcome.ts";
import { HookRegistry } from "../../src/hooks/registry.ts";
import { HookService } from "../../src/hooks/service.ts";
import { type Caller, ROOT } from "../../src/keys/caller.ts";
import type { Keys } from "../../src/keys/keys.ts";
import { SignInLimit } from "../../src/keys/sign-in-limit.ts";
import { ExternalIds, type Reservation } from "../../src/store/external-ids.ts";
import type { ExpiringKeys, Records } from "../../src/store/store.ts";
import { memoryRecords } from "../support/memory-records.ts";

export const evaluate: Evaluate = async (_key, { transform }, document) => {
  try {
    return { kind: "kept", data: JSON.stringify(await jsonata(transform).evaluate(JSON.parse(document))) };
  } catch (error) {
    return { kind: "failed", detail: (error as Error).message };
  }
};

export interface TestHooksOptions {
  records: Records<Hook>;
  keys: Pick<Keys, "rightsOf">;
  expiringKeys: Pick<ExpiringKeys, "setIfAbsent" | "put" | "release">;
  now: () => number;
  maxPayloadBytes: number;
}

/** Messages and outcomes of calls; `failure` is thrown by the next attempt to store a message. */
export interface Seen {
  stored: HookMessage[];
  outcomes: CallOutcome[];
  failure?: Error | undefined;
}

export async function createTestHooks({ records, keys, expiringKeys, now, maxPayloadBytes }: TestHooksOptions) {
  const seen: Seen = { stored: [], outcomes: [] };
  const hooks = new HookRegistry(records, { info() {}, warn() {} });
  await hooks.start();
  const rightsOf = (id: string): Caller | undefined => (id === ROOT.id ? ROOT : keys.rightsOf(id));
  const expressionError = async (text: string) => {
    try {
      jsonata(text);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  };
  const service = new HookService({
    ...{ hooks, rightsOf, expressionError, maxPayloadBytes },
    previewExpressions: new HookExpressions(evaluate, true),
    externalIds: new ExternalIds({ field: "hookId", records: memoryRecords<Reservation<"hookId">>(), registry: hooks }),
  });
  const published = { outcome: "acknowledged", noMatchingSubscribers: false } as const;
  const calls = new HookCalls({
    hooks,
    rightsOf,
    expressions: new HookExpressions(evaluate),
    deliveries: new SenderDeliveries(expiringKeys),
    limits: new HookLimits(now),
    failures: new SignInLimit(now),
    publish: async (message) => {
      const { id, topic, qos, retain } = message;
      seen.stored.push(message);
      return { id, topic, qos, retain, ...published };
    },
    store: async (message) => {
      const { failure } = seen;
      seen.failure = undefined;
      if (failure) throw failure;
      seen.stored.push(message);
    },
    maxPayloadBytes,
    observe: { hookCalled: (_id, outcome) => void seen.outcomes.push(outcome) },
    now,
  });
  return { hooks, service, calls, seen };
}
