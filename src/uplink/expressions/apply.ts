/** Prepares a message for a webhook: decodes the payload, applies filter and transform. */
import type { Webhook } from "../../webhooks/webhook.ts";
import type { AttemptResult } from "../attempt.ts";
import type { Decode } from "../formats/decode.ts";
import type { DeliveredMessage } from "../queue/job.ts";
import { eventText } from "../request/cloudevent.ts";
import { isContentType } from "../request/headers.ts";
import type { Evaluated, Sandbox } from "./sandbox.ts";

export type Prepared =
  | { kind: "send"; message: DeliveredMessage }
  | { kind: "filtered" }
  | { kind: "failed"; result: AttemptResult };

export interface PrepareOptions {
  decode: Decode;
  expressions: Pick<Sandbox, "evaluate">;
  /** CloudEvents `source`. */
  eventSource: string;
}

/** @param key key in the sandbox's fair queue; the webhook's id by default */
export type Prepare = (webhook: Webhook, message: DeliveredMessage, key?: string) => Prepared | Promise<Prepared>;

/** Creates a function that never rejects. It is not `async`, so that a webhook without expressions costs nothing. */
export function createPrepare({ decode, expressions, eventSource }: PrepareOptions): Prepare {
  return (webhook, message, key = webhook.id) => {
    const decoded = decode(webhook, message);
    if (!(decoded instanceof Promise)) return apply(webhook, decoded, key);
    return decoded.then((ready) => apply(webhook, ready, key), unread);
  };

  function apply(webhook: Webhook, message: DeliveredMessage, key: string): Prepared | Promise<Prepared> {
    const { filter, transform } = webhook;
    // The bridge's own events are delivered unchanged.
    if ((filter === undefined && transform === undefined) || message.type !== undefined) {
      return { kind: "send", message };
    }
    const startedAt = performance.now();
    const event = eventText(message, { source: eventSource });
    return expressions
      .evaluate(key, { filter, transform }, event)
      .then((evaluated) => prepared(webhook, message, evaluated, performance.now() - startedAt));
  }
}

/** The store could not be read: the next attempt can. */
function unread(error: Error): Prepared {
  const detail = `the names of the metrics could not be read: ${error.message}`;
  return { kind: "failed", result: { error: "transform_error", detail, durationMs: 0, notEvaluated: true } };
}

function prepared(webhook: Webhook, message: DeliveredMessage, evaluated: Evaluated, durationMs: number): Prepared {
  switch (evaluated.kind) {
    case "filtered":
      return { kind: "filtered" };
    case "failed":
      return { kind: "failed", result: { error: evaluated.error, detail: evaluated.detail, durationMs } };
    case "refused": {
      const { error, detail } = evaluated;
      return { kind: "failed", result: { error, detail, durationMs, notEvaluated: true } };
    }
    case "kept": {
      if (evaluated.data === undefined) return { kind: "send", message };
      const { decodeError: _, ...rest } = message;
      return { kind: "send", message: { ...rest, ...resultOf(webhook, evaluated.data) } };
    }
  }
}

/** Returns the result of a transform as a payload: JSON or, as the body of a call in binary mode, also text. */
function resultOf({ mode, headers }: Webhook, json: string): Pick<DeliveredMessage, "payload" | "contentType"> {
  if (mode === "structured") return { payload: Buffer.from(json), contentType: "application/json" };
  const isText = json.startsWith('"');
  const [, own] = Object.entries(headers).find(([name]) => isContentType(name)) ?? [];
  return {
    payload: Buffer.from(isText ? (JSON.parse(json) as string) : json),
    contentType: own ?? (isText ? "text/plain; charset=utf-8" : "application/json"),
  };
}
