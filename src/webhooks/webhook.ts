/** A webhook: its record in the store. */
import type { QoS } from "../message.ts";

/** What the bridge may tell about webhooks; CloudEvents `type`s. */
export type WebhookEvent = "webhook.failing" | "webhook.recovered" | "webhook.disabled" | "delivery.failed";

/** How the bridge proves itself to the receiver, besides the signature. */
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

/** What a caller may set besides the fields that every webhook has. Absent: not wanted. */
export interface WebhookExtras {
  retained?: "skip" | "deliver";
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

export interface Webhook extends WebhookExtras {
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
  /** Signs as well until `until`, an RFC 3339 time. */
  oldSecret?: { secret: string; until: string };
  /**
   * The ownership check; nothing is delivered while it is pending. `origin` is who asked, and says so in every call;
   * `token` is what the callback URL holds.
   */
  verification?: { state: "pending" | "verified"; at: string; origin: string; token?: string };
  /** Whether the retained messages have been taken that it wanted once (`retained: "deliver"`). */
  snapshot?: "pending" | "done";
  /** Set when the bridge itself stopped calling, e.g. after a 410. */
  disabled?: { at: string; reason: string };
  createdAt: string;
  updatedAt: string;
}

export type SecretField = "secret" | "oldSecret" | "auth" | "headers" | "verification";
export type OpenWebhook = Pick<Webhook, Exclude<keyof Webhook, SecretField>>;

/** Every field that is no secret. */
const OPEN: Record<keyof OpenWebhook, true> = {
  ...{ id: true, url: true, topics: true, name: true, enabled: true, qos: true, mode: true, concurrency: true },
  ...{ timeoutMs: true, retry: true, retained: true, filter: true, transform: true, batch: true, ordering: true },
  ...{ rateLimit: true, ca: true, replyTopic: true, events: true, snapshot: true, disabled: true },
  ...{ createdAt: true, updatedAt: true },
};

/**
 * What lies in the store as it is, and may be shown. All else counts as secret, also a field that only a newer bridge
 * knows: it is kept through every change and shown to nobody.
 */
export function openFields(webhook: Webhook): OpenWebhook {
  return Object.fromEntries(Object.entries(webhook).filter(([name]) => Object.hasOwn(OPEN, name))) as OpenWebhook;
}

/** Whether anything may be sent to it now; what it is not sent goes on waiting. */
export function isCallable({ enabled, disabled, verification }: Webhook): boolean {
  return enabled && !disabled && verification?.state !== "pending";
}

/** What a caller may set. */
export interface WebhookInput extends Omit<WebhookExtras, "batch" | "auth"> {
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
  batch?: { maxSize: number; maxWaitMs?: number };
  auth?: AuthInput;
  /** Ask the receiver first. */
  verify?: boolean;
}

/** As the contract has it: which fields belong to which type is checked by hand, for clear errors. */
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

/** What may be changed: null takes a field away. */
export type WebhookPatch = {
  [K in keyof WebhookInput]?: WebhookInput[K] | (K extends keyof WebhookExtras ? null : never);
};

export const MAX_WEBHOOKS = 10_000;
/** 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h: ten attempts in about three days. */
export const DEFAULT_SCHEDULE_SECONDS = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
/** For an event that waits for others. */
export const DEFAULT_BATCH_WAIT_MS = 1_000;
export const DEFAULTS = {
  enabled: true,
  qos: 1,
  mode: "structured",
  headers: {},
  concurrency: 10,
  timeoutMs: 15_000,
  retry: { scheduleSeconds: DEFAULT_SCHEDULE_SECONDS },
} as const satisfies Partial<WebhookInput>;
