/**
 * Sandbox of filters and transforms: evaluates JSONata over events in separate processes. An expression that takes too
 * long or too much memory affects its own webhook only. The fast process evaluates expressions that proved quick, the
 * slow one all others, including those of previews; `sandbox-policy.ts` is the policy. No process starts before the
 * first expression.
 */
import { LRUCache } from "lru-cache";
import { Refused } from "../../errors.ts";
import {
  changed,
  evaluated,
  isAbout,
  isExhausted,
  newcomer,
  overran,
  REFILL_MS,
  type Standing,
  type Texts,
} from "./sandbox-policy.ts";
import type { Evaluated, SandboxTask } from "./sandbox-protocol.ts";
import { type SandboxItem, SandboxWorker } from "./sandbox-worker.ts";

export type { Evaluated } from "./sandbox-protocol.ts";

export interface Sandbox {
  /**
   * Never rejects. Never resolves once the sandbox is closed.
   * @param key owner of the expressions: a webhook or an API caller; keys take turns
   * @param event JSON text
   */
  evaluate(key: string, task: Texts, event: string): Promise<Evaluated>;
  /** Returns the syntax error of an expression; undefined when it is valid. */
  syntaxError(expression: string): Promise<string | undefined | Refused>;
  /** Ends the processes; remaining tasks are never evaluated. */
  close(): Promise<void>;
}

/** Prefix of the API's keys, whose cost is separate from that of deliveries. The caller's id follows. */
export const FROM_API = "api/";
/** Maximum number of waiting previews per API caller, and of waiting syntax checks. */
const MAX_API_WAITING = 64;
/** Maximum number of keys with a record; a key without one is a newcomer. */
const MAX_KEYS = 10_000;
/** An overrun here delays other tasks: it ends early, and its task is evaluated again in the slow process. */
const FAST = { limitMs: 50, window: 64, niceness: 0, keepsSpare: true };
/** One task at a time: each overrun costs its own task only. */
const SLOW = { limitMs: 100, window: 1, niceness: 10, keepsSpare: false };
/** Minimum debt of an error. */
const ERROR_MS = 1;
/** API callers have new expressions each time, so a caller has one record for all of them. */
const ANY: Texts = {};

export function createSandbox({ maxPayloadBytes: maxBytes }: { maxPayloadBytes: number }): Sandbox {
  const standings = new LRUCache<string, Standing>({ max: MAX_KEYS });
  const callbacks = {
    maxBytes,
    onResult(item: SandboxItem, result: Evaluated, longMs: number) {
      // An error does not prove an expression quick, and costs more than a result.
      const cost = result.kind === "failed" ? Math.max(longMs, ERROR_MS) : longMs;
      settle(item, (standing) => evaluated(standing, cost, Date.now()));
      item.done(result);
    },
    onReturned(items: SandboxItem[]) {
      for (const item of items.reverse()) laneOf(item).waiting.put(item.key, item, true);
      slow.give();
      fast.give();
    },
    onBroken(items: SandboxItem[], reason: string) {
      for (const item of items) item.done(refusal(item.task, reason));
    },
  };
  const slow = new SandboxWorker({
    ...SLOW,
    ...callbacks,
    onOverrun(item, result) {
      item.done(result);
      settle(item, (standing) => overran(standing, Date.now()));
    },
  });
  const fast = new SandboxWorker({
    ...FAST,
    ...callbacks,
    onOverrun(item) {
      slow.waiting.put(item.key, item, true);
      settle(item, (standing) => overran(standing, Date.now()));
      slow.give();
    },
  });

  /** Records an evaluation, and moves or refuses all waiting tasks of the key accordingly. */
  function settle({ key, task }: SandboxItem, next: (standing: Standing) => Standing): void {
    const before = standings.get(key);
    if (!before || !isAbout(before, textsOf(key, task))) return;
    const after = next(before);
    if (after === before) return;
    standings.set(key, after);
    const isRefused = isExhausted(after, Date.now());
    if (after.place === before.place && !isRefused) return;
    for (const item of [...slow.waiting.take(key), ...fast.waiting.take(key)]) {
      if (isRefused) item.done(refusal(item.task, EXHAUSTED));
      else laneOf(item).put(item);
    }
  }

  function laneOf({ key, task }: SandboxItem): SandboxWorker {
    const standing = standings.get(key);
    return !isApi(key) && standing?.place === "fast" && isAbout(standing, task) ? fast : slow;
  }

  function standingOf(key: string, task: SandboxTask): Standing {
    const known = standings.get(key);
    const texts = textsOf(key, task);
    if (known && isAbout(known, texts)) return known;
    const standing = known ? changed(known, texts, Date.now()) : newcomer(texts);
    standings.set(key, standing);
    return standing;
  }

  function evaluate(key: string, task: SandboxTask, event: string): Promise<Evaluated> {
    if (isExhausted(standingOf(key, task), Date.now())) return Promise.resolve(refusal(task, EXHAUSTED));
    if (!isApi(key)) {
      // Once a webhook's expressions proved quick, they need not wait for a process to start.
      fast.warm();
    } else if (slow.waiting.count(key) >= MAX_API_WAITING) {
      return Promise.resolve(refusal(task, "too many expressions are waiting to be evaluated"));
    }
    return new Promise((done) => {
      const item = { key, task, event, done };
      laneOf(item).put(item);
    });
  }

  return {
    evaluate: (key, { filter, transform }, event) => evaluate(key, { filter, transform }, event),
    async syntaxError(expression) {
      const result = await evaluate(FROM_API, { check: expression }, "null");
      if (result.kind === "refused") return refuseEvaluation(result.detail);
      return result.kind === "failed" ? result.detail : undefined;
    },
    async close() {
      fast.close();
      slow.close();
    },
  };
}

/** Refuses an API call whose expressions were not evaluated. */
export function refuseEvaluation(detail: string): Refused {
  return new Refused("rate_limited", detail, { retryAfterSeconds: REFILL_MS / 1_000 });
}

function isApi(key: string): boolean {
  return key.startsWith(FROM_API);
}

function textsOf(key: string, task: SandboxTask): Texts {
  return isApi(key) ? ANY : task;
}

const EXHAUSTED = "these expressions exceeded their limits too often";

function refusal({ filter, check }: SandboxTask, detail: string): Evaluated {
  const error = filter !== undefined || check !== undefined ? "filter_error" : "transform_error";
  return { kind: "refused", error, detail: `not evaluated: ${detail}` };
}
