/** A webhook as returned by the API: without secrets, with its state and the counts of its deliveries. */
import { maskHeaders } from "./header-masking.ts";
import { type AuthInput, isCallable, isPull, type OpenWebhook, openFields, type Webhook } from "./webhook.ts";

export interface Counts {
  pending: number;
  active: number;
  retrying: number;
  succeeded: number;
  failed: number;
  /** Discarded since the registration without being sent: too old, or too many. */
  discarded: number;
}

export const NO_COUNTS: Counts = { pending: 0, active: 0, retrying: 0, succeeded: 0, failed: 0, discarded: 0 };

export type WebhookState = "active" | "paused" | "disabled" | "failing";

export type WebhookDto = Omit<OpenWebhook, "snapshot" | "url"> &
  Required<Pick<Webhook, "type" | "method" | "headers" | "retained" | "payloadFormat" | "ordering" | "events">> & {
    /** Absent with `type: pull`. */
    url?: string;
    state: WebhookState;
    counts: Counts;
    /** Time since which every attempt has failed, while the state is `failing`. */
    failingSince: string | null;
    /** Time from which the endpoint is called again, while the state is `failing`. */
    nextProbeAt: string | null;
    /** Topic filters whose subscription the broker refused; absent if there are none. */
    refusedTopics?: { topic: string; reason: string }[];
    auth?: AuthDto;
    verification?: { state: "pending" | "verified"; at: string };
    oldSecretUntil?: string;
    secret?: string;
  };

type AuthDto = Omit<AuthInput, "password" | "token" | "clientSecret" | "key">;

/** Times of a failing endpoint, in milliseconds; undefined if it is not failing. */
export interface Failing {
  since?: number | undefined;
  nextProbeAt?: number | undefined;
}

/**
 * Converts a webhook to its API representation.
 * @param refused reason of each refused filter
 */
export function toDto(
  webhook: Webhook,
  counts: Counts,
  failing: Failing,
  refused: ReadonlyMap<string, string>,
  now: number,
): WebhookDto {
  const { snapshot: _snapshot, url, ...open } = openFields(webhook);
  const { oldSecret, verification, auth } = webhook;
  const { type = "push", method = "POST", retained = "skip", ordering = "none", events = [] } = webhook;
  const { payloadFormat = "auto" } = webhook;
  const state = stateOf(webhook, failing.since);
  const failingTime = (at: number | undefined) =>
    state === "failing" && at !== undefined ? new Date(at).toISOString() : null;
  const refusedTopics = webhook.topics
    .filter((topic) => refused.has(topic))
    .map((topic) => ({ topic, reason: refused.get(topic)! }));
  return {
    ...open,
    type,
    ...(!isPull(webhook) && { url }),
    method,
    headers: maskHeaders(webhook.headers),
    retained,
    payloadFormat,
    ordering,
    events,
    ...(refusedTopics.length > 0 && { refusedTopics }),
    ...(auth && { auth: toAuthDto(auth) }),
    ...(verification && { verification: { state: verification.state, at: verification.at } }),
    ...(oldSecret && Date.parse(oldSecret.until) > now && { oldSecretUntil: oldSecret.until }),
    state,
    failingSince: failingTime(failing.since),
    nextProbeAt: failingTime(failing.nextProbeAt),
    counts,
  };
}

/** @param failingSince in milliseconds; undefined if the endpoint is not failing */
export function stateOf(webhook: Webhook, failingSince: number | undefined): WebhookState {
  if (webhook.disabled) return "disabled";
  if (!isCallable(webhook)) return "paused";
  return failingSince === undefined ? "active" : "failing";
}

function toAuthDto(auth: AuthInput): AuthDto {
  const { password: _password, token: _token, clientSecret: _clientSecret, key: _key, ...open } = auth;
  return open;
}
