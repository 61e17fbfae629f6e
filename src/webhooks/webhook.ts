/** The record of a webhook in the store. */
import type { PayloadFormat } from "../formats/formats.ts";
import type { QoS } from "../message.ts";

/** Events that the bridge sends about webhooks; CloudEvents `type`s. */
export type WebhookEvent = "webhook.failing" | "webhook.recovered" | "webhook.disabled" | "delivery.failed";

/** Authentication of the bridge to the receiver, besides the signature. */
export type ReceiverAuth =
  | { type: "basic"; username: string; password: string }
  | { type: "bearer"; token: string }
  | {
      type: "oauth2";
      tokenUrl: string;
      clientId: string;
      clientSecret: string;
      scope?: string;
      audience?: string;
    }
  | { type: "mtls"; cert: string; key: string };

/** Optional settings of a webhook. Absent: not used. */
export interface WebhookExtras {
  retained?: "skip" | "deliver";
  /** Absent: auto. */
  payloadFormat?: PayloadFormat;
  /** JSONata over the CloudEvent. */
  filter?: string;
  /** JSONata over the CloudEvent; its result becomes the `data`. */
  transform?: string;
  batch?: { maxSize: number; maxWaitMs: number };
  ordering?: "none" | "topic" | "strict";
  rateLimit?: { max: number; perSeconds: number };
  auth?: ReceiverAuth;
  /** PEM. */
  ca?: string;
  replyTopic?: string;
  events?: WebhookEvent[];
}

export type WebhookMethod = "POST" | "PUT" | "PATCH";

/** `push`: deliveries are sent to the URL. `pull`: consumers take them. */
export type WebhookType = "push" | "pull";

export interface Webhook extends WebhookExtras {
  id: string;
  /** Absent: push. */
  type?: WebhookType;
  /** May be a template, see `url-template.ts`. Empty with `type: pull`. */
  url: string;
  /** Absent: POST. */
  method?: WebhookMethod;
  /** Topic filters, without duplicates. */
  topics: string[];
  name?: string;
  /** The caller's own name for the webhook: unique, and set at the registration only. */
  externalId?: string;
  /** False: paused. New deliveries keep waiting. */
  enabled: boolean;
  qos: QoS;
  mode: "structured" | "binary";
  /** Headers to add to every call. */
  headers: Record<string, string>;
  /** `whsec_…`, the key of the signature. */
  secret: string;
  /** Maximum number of concurrent calls, 1 to 100. */
  concurrency: number;
  /** Time limit of a whole call, 100 to 60,000 ms. */
  timeoutMs: number;
  /** Seconds to wait after each failed attempt; the number of retries is its length. */
  retry: { scheduleSeconds: number[] };
  /** Also signs until `until`, an RFC 3339 time. */
  oldSecret?: { secret: string; until: string };
  /**
   * The ownership check; nothing is delivered while it is pending. `origin` is the requesting DNS name, sent in every
   * call; `token` is part of the callback URL.
   */
  verification?: { state: "pending" | "verified"; at: string; origin: string; token?: string };
  /** Whether the retained messages requested by `retained: "deliver"` have been enqueued. */
  snapshot?: "pending" | "done";
  /** Set when the bridge has disabled the webhook, e.g. after a 410. */
  disabled?: { at: string; reason: string };
  createdAt: string;
  updatedAt: string;
}

export type SecretField = "secret" | "oldSecret" | "auth" | "headers" | "verification";
export type OpenWebhook = Pick<Webhook, Exclude<keyof Webhook, SecretField>>;

/** All fields that are not secret. */
const OPEN: Record<keyof OpenWebhook, true> = {
  ...{
    id: true,
    type: true,
    url: true,
    method: true,
    topics: true,
    name: true,
    externalId: true,
    enabled: true,
    qos: true,
    mode: true,
  },
  ...{ concurrency: true, timeoutMs: true, retry: true, retained: true },
  ...{ payloadFormat: true, filter: true, transform: true },
  ...{
    batch: true,
    ordering: true,
    rateLimit: true,
    ca: true,
    replyTopic: true,
    events: true,
    snapshot: true,
    disabled: true,
  },
  ...{ createdAt: true, updatedAt: true },
};

/**
 * Fields that are stored unencrypted and may be returned. All others count as secret, including a field that only a
 * newer bridge knows: it survives every change and is never returned.
 */
export function openFields(webhook: Webhook): OpenWebhook {
  return Object.fromEntries(Object.entries(webhook).filter(([name]) => Object.hasOwn(OPEN, name))) as OpenWebhook;
}

/** Whether consumers take the deliveries of the webhook. */
export function isPull({ type }: Pick<Webhook, "type">): boolean {
  return type === "pull";
}

/** Whether the webhook may be called now, or pulled; otherwise its deliveries keep waiting. */
export function isCallable({ enabled, disabled, verification }: Webhook): boolean {
  return enabled && !disabled && verification?.state !== "pending";
}

/** Fields that a caller may set. */
export interface WebhookInput extends Omit<WebhookExtras, "batch" | "auth"> {
  type?: WebhookType;
  /** Required, except with `type: pull`. */
  url?: string;
  method?: WebhookMethod;
  topics: string[];
  name?: string;
  externalId?: string;
  enabled?: boolean;
  qos?: QoS;
  mode?: "structured" | "binary";
  headers?: Record<string, string>;
  secret?: string;
  concurrency?: number;
  timeoutMs?: number;
  retry?: { scheduleSeconds: number[] };
  batch?: { maxSize: number; maxWaitMs?: number };
  auth?: AuthInput;
  /** Starts the ownership check. */
  verify?: boolean;
}

/** As defined by the contract; code checks which fields belong to which type, for clear errors. */
export interface AuthInput {
  type: ReceiverAuth["type"];
  username?: string;
  password?: string;
  token?: string;
  tokenUrl?: string;
  clientId?: string;
  clientSecret?: string;
  scope?: string;
  audience?: string;
  cert?: string;
  key?: string;
}

/** Fields that may be changed; null removes a field. */
export type WebhookPatch = {
  [K in Exclude<keyof WebhookInput, "externalId">]?:
    | WebhookInput[K]
    | (K extends keyof WebhookExtras | "name" ? null : never);
};

export const MAX_WEBHOOKS = 10_000;
/** 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h: ten attempts in about three days. */
export const DEFAULT_SCHEDULE_SECONDS = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
/** How long an event waits for others to form a batch. */
export const DEFAULT_BATCH_WAIT_MS = 1_000;
export const DEFAULTS = {
  method: "POST",
  enabled: true,
  qos: 1,
  mode: "structured",
  headers: {},
  concurrency: 10,
  timeoutMs: 15_000,
  retry: { scheduleSeconds: DEFAULT_SCHEDULE_SECONDS },
} as const satisfies Partial<WebhookInput>;

/** Leaves out the type, absent and null fields, and removes duplicate filters. */
export function normalised({ verify: _verify, type: _type, ...input }: WebhookPatch): Partial<Webhook> {
  const given = Object.fromEntries(Object.entries(input).filter(([, value]) => value != null));
  return {
    ...given,
    ...(input.topics && { topics: [...new Set(input.topics)] }),
    ...(input.batch && { batch: { maxWaitMs: DEFAULT_BATCH_WAIT_MS, ...input.batch } }),
  };
}
