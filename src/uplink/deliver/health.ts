/** The endpoint's health around an attempt: ask the circuit breaker before it, record the outcome after it. */
import { healthOf } from "../health/circuit-breaker.ts";
import type { EndpointHealth } from "../health/endpoint-health.ts";
import type { Attempt, Outcome } from "./attempt.ts";

const PAUSED: Outcome = { kind: "paused" };

export function withHealth(health: Pick<EndpointHealth, "admit" | "settle">, attempt: Attempt): Attempt {
  return async (sending) => {
    const { webhook, endpoint } = sending;
    const admitted = await health.admit(webhook);
    if (admitted.kind === "wait") {
      await endpoint.pause(admitted.ms);
      return PAUSED;
    }
    const outcome = await attempt(sending);
    if (outcome.kind !== "attempted") return outcome;
    const { result, decision } = outcome;
    // A call counts once for the endpoint's health, however many events it carried.
    const speaks = result.batch?.leads !== false || admitted.kind === "probe";
    const called = { health: speaks ? healthOf(result, decision) : "neutral", decision } as const;
    const restMs = await health.settle(webhook, admitted, called);
    if (restMs > 0) await endpoint.pause(restMs);
    return outcome;
  };
}
