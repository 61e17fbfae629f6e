/**
 * Filters and transforms: JSONata over events, at arm's length. What takes too long, or too much memory, costs those
 * who wrote it and not the other webhooks: whoever overran is evaluated in a lane of its own for a while. Nothing is
 * started before the first expression.
 */
import { Lane } from "./expression-lane.ts";
import type { Evaluated, Task } from "./expression-lines.ts";

export type { Evaluated } from "./expression-lines.ts";

export interface Expressions {
  /**
   * Never rejects.
   * @param key whose expressions these are; each gets its turn
   * @param event JSON text
   */
  evaluate(key: string, task: Pick<Task, "filter" | "transform">, event: string): Promise<Evaluated>;
  /** What is wrong with the syntax of an expression; undefined when it is good. */
  syntaxError(expression: string): Promise<string | undefined>;
  /** What is not evaluated then never is. */
  close(): Promise<void>;
}

/** How long who overran stays apart, in milliseconds. */
const APART_MS = 60_000;
/** For what comes from the API: its cost is not the deliveries'. */
export const FROM_API = "";

export function makeExpressions({ maxPayloadBytes }: { maxPayloadBytes: number }): Expressions {
  /** Until when, by key; the one that overran longest ago is the first. */
  const apart = new Map<string, number>();
  const options = { maxBytes: maxPayloadBytes, onOverrun };
  const lanes = { usual: new Lane(options), slow: new Lane(options) };

  function onOverrun(key: string): void {
    apart.delete(key);
    apart.set(key, Date.now() + APART_MS);
    for (const [other, until] of apart) {
      if (until > Date.now()) break;
      apart.delete(other);
    }
  }

  function laneOf(key: string): Lane {
    return key === FROM_API || (apart.get(key) ?? 0) > Date.now() ? lanes.slow : lanes.usual;
  }

  return {
    evaluate: (key, { filter, transform }, event) => laneOf(key).evaluate(key, { filter, transform }, event),
    async syntaxError(expression) {
      const result = await lanes.slow.evaluate(FROM_API, { check: expression }, "null");
      return result.kind === "failed" ? result.detail : undefined;
    },
    async close() {
      for (const lane of Object.values(lanes)) lane.close();
    },
  };
}
