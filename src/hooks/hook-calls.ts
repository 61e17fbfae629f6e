/** Calls of hooks: from the request of another service to the message, once per delivery of the sender. */
import { Refused } from "../errors.ts";
import type { Limiter } from "../keys/limiter.ts";
import { newId } from "../message.ts";
import { mqttStringError } from "../topic.ts";
import { documentOf, type HookCall, type ReadBody, readBody } from "./call.ts";
import type { SenderDeliveries } from "./deliveries.ts";
import type { HookExpressions } from "./evaluation.ts";
import type { Hook } from "./hook.ts";
import type { CallOutcome, HookMessage, HookPublished, HookResult } from "./outcome.ts";
import { type RightsOf, stoppedReason } from "./rights.ts";
import { parseTopic } from "./template.ts";
import { deliveryIdOf, isVerified, metaChallenge } from "./verify.ts";

export interface HookCallsOptions {
  hooks: { byToken(token: string): Hook | undefined };
  /** Also counts a use of the key. */
  rightsOf: RightsOf;
  expressions: Pick<HookExpressions, "of">;
  deliveries: Pick<SenderDeliveries, "once">;
  limits: { of(hook: Hook): Pick<Limiter, "take"> | undefined };
  /** Limit of failed verifications for each address and hook. */
  failures: {
    secondsUntil(address: string, hookId: string): number | undefined;
    failed(address: string, hookId: string): void;
  };
  /** Publishes at once. */
  publish(message: HookMessage): Promise<HookPublished | Refused>;
  /** Stores the message, to be published once the broker is available. */
  store(message: HookMessage): Promise<unknown>;
  maxPayloadBytes: number;
  observe: { hookCalled(hookId: string, outcome: CallOutcome, messageId?: string): void };
  /** Milliseconds since the epoch. */
  now?: () => number;
}

export type HookResponse =
  | { kind: "done"; result: HookResult; repeated: boolean }
  /** For Meta, which expects 200 and a text. */
  | { kind: "text"; text: string }
  | { kind: "not_found" }
  | { kind: "wrong_method"; allowed: readonly string[] }
  | { kind: "unverified"; challenge: "Basic" | "Signature" }
  | { kind: "refused"; refused: Refused };

export class HookCalls {
  constructor(private readonly options: HookCallsOptions) {}

  /** Rejects if the store is unavailable, or its outbox full; the sender may then repeat the call. */
  async call(token: string, call: HookCall): Promise<HookResponse> {
    const hook = this.options.hooks.byToken(token);
    if (!hook) return { kind: "not_found" };
    const challenge = this.#answerMeta(hook, call);
    if (challenge) return challenge;
    if (!hook.methods.includes(call.method)) return { kind: "wrong_method", allowed: hook.methods };
    const refused = this.#admit(hook, call);
    if (refused) return refused;
    let isRepeated = true;
    try {
      const outcome = await this.options.deliveries.once(hook.id, deliveryIdOf(hook.verify.type, call), () => {
        isRepeated = false;
        return this.#publish(hook, call);
      });
      if (outcome instanceof Refused) return this.#refuse(hook, outcome);
      this.options.observe.hookCalled(hook.id, isRepeated ? "repeated" : "accepted", outcome.id);
      if (hook.verify.type === "meta") return { kind: "text", text: "EVENT_RECEIVED" };
      return { kind: "done", result: outcome, repeated: isRepeated };
    } catch (error) {
      this.options.observe.hookCalled(hook.id, "failed");
      throw error;
    }
  }

  /** The verification request of Meta, which publishes nothing. */
  #answerMeta(hook: Hook, call: HookCall): HookResponse | undefined {
    const answer = metaChallenge(call, hook.verify);
    if (answer === undefined) return undefined;
    const blocked = this.#checkFailures(hook, call);
    if (blocked) return blocked;
    if (answer !== "mismatch") return { kind: "text", text: answer.challenge };
    this.options.failures.failed(call.address, hook.id);
    const detail = "hub.verify_token is not the verifyToken of this hook";
    return this.#refuse(hook, new Refused("verify_token_mismatch", detail));
  }

  #checkFailures(hook: Hook, { address }: HookCall): HookResponse | undefined {
    const seconds = this.options.failures.secondsUntil(address, hook.id);
    if (seconds === undefined) return undefined;
    return this.#refuse(hook, tooMany("too many calls from this address could not be verified", seconds));
  }

  /** Verifies the call, and counts it against the limits. */
  #admit(hook: Hook, call: HookCall): HookResponse | undefined {
    const { failures, limits, now = Date.now } = this.options;
    const blocked = this.#checkFailures(hook, call);
    if (blocked) return blocked;
    if (!isVerified(call, hook.verify, Math.floor(now() / 1_000))) {
      failures.failed(call.address, hook.id);
      this.options.observe.hookCalled(hook.id, "unverified");
      return { kind: "unverified", challenge: hook.verify.type === "basic" ? "Basic" : "Signature" };
    }
    // Only verified calls count: others must not use up the limit of the sender.
    const allowance = limits.of(hook)?.take(1);
    if (!allowance || allowance.allowed) return undefined;
    return this.#refuse(hook, tooMany(`the hook takes ${allowance.limit} calls at once`, allowance.resetSeconds));
  }

  async #publish(hook: Hook, call: HookCall): Promise<HookResult | Refused> {
    const message = await this.#messageOf(hook, call);
    if (message instanceof Refused) return message;
    if (!hook.durable) return this.options.publish(message);
    await this.options.store(message);
    return { id: message.id, outcome: "queued" };
  }

  async #messageOf(hook: Hook, call: HookCall): Promise<HookMessage | Refused> {
    const { expressions, rightsOf, maxPayloadBytes } = this.options;
    const template = parseTopic(hook.topic);
    if (typeof template === "string" || stoppedReason(hook, template, rightsOf) !== undefined) return stopped();
    const body = await readBody(call);
    if (!body) return new Refused("invalid_request", "the body is not what its Content-Type says");
    const evaluated = await expressions.of(hook, template, () => documentOf(call, body));
    if (evaluated instanceof Refused) return evaluated;
    const { topic } = evaluated;
    // The key may have been withdrawn meanwhile.
    if (!rightsOf(hook.createdBy)?.mayPublish(topic)) return stopped();
    const { bytes: payload, contentType } = evaluated.payload ?? ofBody(body);
    if (payload.length > maxPayloadBytes) {
      return new Refused("payload_too_large", `${payload.length} bytes are more than the limit of ${maxPayloadBytes}`);
    }
    const { qos, retain } = hook;
    return { id: newId("msg"), topic, payload, qos, retain, ...(contentType !== undefined && { contentType }) };
  }

  #refuse({ id }: Hook, refused: Refused): HookResponse {
    this.options.observe.hookCalled(id, OUTCOMES[refused.code] ?? "failed");
    return { kind: "refused", refused };
  }
}

const OUTCOMES: Partial<Record<Refused["code"], CallOutcome>> = {
  rate_limited: "rate_limited",
  invalid_request: "invalid",
  payload_too_large: "invalid",
  expression_failed: "expression_failed",
  forbidden_topic: "stopped",
  verify_token_mismatch: "unverified",
  idempotency_in_progress: "repeated",
};

/** The body as it was received. Its content type may be no valid MQTT string. */
export function ofBody({ payload: bytes, contentType }: ReadBody) {
  const isValid = contentType !== undefined && mqttStringError(contentType) === undefined;
  return { bytes, contentType: isValid ? contentType : undefined };
}

function stopped(): Refused {
  return new Refused("forbidden_topic", "the key that created this hook may not publish to its topic any more");
}

function tooMany(detail: string, seconds: number): Refused {
  return new Refused("rate_limited", `${detail}; try again in ${seconds} s`, { retryAfterSeconds: seconds });
}
