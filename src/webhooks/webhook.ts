/** A webhook: its record in the store, and the rules for what may be registered. */
import { type FieldError, Problem } from "../errors.ts";
import type { QoS } from "../message.ts";
import { topicFilterError } from "../topic.ts";

export interface Webhook {
  /** Version of this record's form; a newer bridge reads older ones. */
  v: 1;
  id: string;
  url: string;
  /** Topic filters, without repetition. */
  topics: string[];
  name?: string;
  /** False: paused. What arrives goes on waiting. */
  enabled: boolean;
  qos: QoS;
  mode: "structured" | "binary";
  /** Headers to add to every call. */
  headers: Record<string, string>;
  /** `whsec_…`, the key of the signature. */
  secret: string;
  /** Calls under way at once, 1 to 100. */
  concurrency: number;
  /** For a whole call, 100 to 60,000 ms. */
  timeoutMs: number;
  /** Seconds to wait after each failed attempt; the number of retries is its length. */
  retry: { scheduleSeconds: number[] };
  /** Set when the bridge itself stopped calling, e.g. after a 410. */
  disabled?: { at: string; reason: string };
  createdAt: string;
  updatedAt: string;
}

/** What a caller may set. */
export interface WebhookInput {
  url: string;
  topics: string[];
  name?: string;
  enabled?: boolean;
  qos?: QoS;
  mode?: "structured" | "binary";
  headers?: Record<string, string>;
  secret?: string;
  concurrency?: number;
  timeoutMs?: number;
  retry?: { scheduleSeconds: number[] };
}

export const MAX_WEBHOOKS = 10_000;
/** Levels of a filter; the broker's own limit is often lower. */
export const MAX_FILTER_LEVELS = 128;
/** 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h: ten attempts in about three days. */
export const DEFAULT_SCHEDULE_SECONDS = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
export const DEFAULTS = {
  enabled: true,
  qos: 1,
  mode: "structured",
  headers: {},
  concurrency: 10,
  timeoutMs: 15_000,
  retry: { scheduleSeconds: DEFAULT_SCHEDULE_SECONDS },
} as const satisfies Partial<WebhookInput>;

/** What decides about URLs, headers and secrets; the real ones come from the uplink. */
export interface WebhookRules {
  /** Why the URL may not be called, undefined when it may. */
  urlError(url: string): Promise<{ code: "invalid_url" | "blocked_address"; message: string } | undefined>;
  headerError(name: string, value: string): string | undefined;
  secretError(secret: string): string | undefined;
}

/** Checks the fields that are there. The shape has been checked against the contract before. @throws Problem */
export async function checkWebhook(input: Partial<WebhookInput>, rules: WebhookRules): Promise<void> {
  const filters = (input.topics ?? []).flatMap((filter, i) => fieldError(`topics[${i}]`, filterError(filter)));
  if (filters.length > 0) throw new Problem("invalid_topic_filter", detail(filters), { errors: filters });

  const errors = [
    ...Object.entries(input.headers ?? {}).flatMap(([name, value]) =>
      fieldError(`headers.${name}`, rules.headerError(name, value)),
    ),
    ...(input.secret === undefined ? [] : fieldError("secret", rules.secretError(input.secret))),
  ];
  if (errors.length > 0) throw new Problem("invalid_request", detail(errors), { errors });

  const url = input.url === undefined ? undefined : await rules.urlError(input.url);
  if (url) throw new Problem(url.code, `url: ${url.message}`, { errors: [{ path: "url", message: url.message }] });
}

function filterError(filter: string): string | undefined {
  const levels = filter.split("/").length;
  if (levels > MAX_FILTER_LEVELS) return `must not have more than ${MAX_FILTER_LEVELS} levels`;
  return topicFilterError(filter);
}

function fieldError(path: string, message: string | undefined): FieldError[] {
  return message === undefined ? [] : [{ path, message }];
}

function detail(errors: FieldError[]): string {
  return errors.map(({ path, message }) => `${path}: ${message}`).join("; ");
}
