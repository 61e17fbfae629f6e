/** Topic and payload of a call: one expression, evaluated in the sandbox, for all expressions of the hook. */
import { Refused } from "../errors.ts";
import type { Hook } from "./hook.ts";
import { type TopicTemplate, topicWith } from "./template.ts";

/** Evaluates a JSONata expression over a JSON text; never rejects. `data` is the JSON text of the result. */
export type Evaluate = (
  key: string,
  expression: { transform: string },
  document: string,
) => Promise<
  | { kind: "kept"; data?: string }
  | { kind: "filtered" }
  | { kind: "failed"; detail?: string; slow?: boolean }
  | { kind: "refused"; detail: string }
>;

/** Absent payload: the hook has no expression for it. */
export interface EvaluatedHook {
  topic: string;
  payload?: { bytes: Buffer; contentType: string | undefined };
}

/** Calls of one hook that may wait for their evaluation. */
const MAX_WAITING = 64;
const PAYLOAD = "payload";

export class HookExpressions {
  /** Waiting calls by the id of the hook. */
  readonly #waiting = new Map<string, number>();

  /** @param isExplained whether refusals quote values of the call, which only those who registered the hook may see */
  constructor(
    private readonly evaluate: Evaluate,
    private readonly isExplained = false,
  ) {}

  /** @param document the call as JSON text; asked for only if the hook has an expression */
  async of(
    hook: Pick<Hook, "id" | "topic" | "payload">,
    template: TopicTemplate,
    document: () => string,
  ): Promise<EvaluatedHook | Refused> {
    const { expressions } = template;
    if (expressions.length === 0 && hook.payload === undefined) return { topic: hook.topic };
    const result = await this.#evaluate(hook.id, combined(expressions, hook.payload), document);
    if (result instanceof Refused) return result;
    const found = topicWith(
      template,
      expressions.map((_, i) => result[`topic${i}`]),
    );
    if ("error" in found) return failed(`topic: ${found.error}`);
    if (hook.payload === undefined) return found;
    const payload = result[PAYLOAD];
    if (payload === undefined) return failed("payload: the expression must give a value");
    return { ...found, payload: payloadOf(payload) };
  }

  async #evaluate(
    hookId: string,
    transform: string,
    document: () => string,
  ): Promise<Record<string, unknown> | Refused> {
    const waiting = this.#waiting.get(hookId) ?? 0;
    if (waiting >= MAX_WAITING) return busy("too many calls of this hook are waiting to be evaluated");
    this.#waiting.set(hookId, waiting + 1);
    try {
      const result = await this.evaluate(hookId, { transform }, document());
      if (result.kind === "kept") return JSON.parse(result.data!) as Record<string, unknown>;
      if (result.kind === "refused") return busy("the expressions of this hook exceeded their limits too often");
      // Messages of JSONata quote values, and the caller must learn none.
      const slow = result.kind === "failed" && result.slow === true;
      if (this.isExplained && result.kind === "failed" && result.detail) return failed(result.detail);
      return failed(`the expressions of this hook ${slow ? "took too long" : "cannot be evaluated over this call"}`);
    } finally {
      const left = this.#waiting.get(hookId)! - 1;
      if (left > 0) this.#waiting.set(hookId, left);
      else this.#waiting.delete(hookId);
    }
  }
}

/** A string is published as it is, any other value as its JSON text, as by `POST /v1/messages`. */
function payloadOf(value: unknown): NonNullable<EvaluatedHook["payload"]> {
  if (typeof value === "string") return { bytes: Buffer.from(value), contentType: undefined };
  return { bytes: Buffer.from(JSON.stringify(value)), contentType: "application/json" };
}

/** An object with the value of each expression; one without a value is absent. Each is valid on its own. */
function combined(topic: readonly string[], payload: string | undefined): string {
  const members = topic.map((expression, i) => `"topic${i}": (${expression}\n)`);
  if (payload !== undefined) members.push(`"${PAYLOAD}": (${payload}\n)`);
  return `{${members.join(",\n")}}`;
}

function failed(detail: string): Refused {
  return new Refused("expression_failed", detail);
}

function busy(detail: string): Refused {
  return new Refused("rate_limited", detail, { retryAfterSeconds: 1 });
}
