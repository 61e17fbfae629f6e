/** States of webhooks, deliveries and attempts in words. Pure. */
import type { Delivery, Webhook } from "causeway-mqtt/client";

/** Each has a colour and a shape: `StateMark`. */
export type Tone = "delivered" | "retrying" | "failed" | "paused" | "live";

/** Result of one check of `/readyz`. */
export interface Check {
  ok: boolean;
  detail?: string;
}

export interface Mark {
  tone: Tone;
  word: string;
}

const WEBHOOK: Record<Webhook["state"], Mark> = {
  active: { tone: "delivered", word: "Active" },
  paused: { tone: "paused", word: "Paused" },
  disabled: { tone: "failed", word: "Disabled" },
  failing: { tone: "retrying", word: "Failing" },
};

const DELIVERY: Record<Delivery["status"], Mark> = {
  pending: { tone: "live", word: "Waiting" },
  active: { tone: "live", word: "In progress" },
  retrying: { tone: "retrying", word: "Retrying" },
  succeeded: { tone: "delivered", word: "Succeeded" },
  failed: { tone: "failed", word: "Failed" },
};

export function webhookMark({ state }: Pick<Webhook, "state">): Mark {
  return WEBHOOK[state];
}

export function deliveryMark({ status, filtered }: Pick<Delivery, "status"> & { filtered?: boolean }): Mark {
  return filtered ? { tone: "paused", word: "Filtered out" } : DELIVERY[status];
}

/** The cause of a failed attempt: `connection refused`, `HTTP 503`. */
export function causeOf({ error, statusCode }: { error?: string | null; statusCode?: number | null }): string {
  if (error === "http_error" && statusCode) return `HTTP ${statusCode}`;
  return error?.replaceAll("_", " ") ?? (statusCode ? `HTTP ${statusCode}` : "no response");
}

/** The name of a webhook, or the host of its URL. */
export function nameOf({ name, url, id }: Pick<Webhook, "name" | "url" | "id">): string {
  if (name) return name;
  return url !== undefined && URL.canParse(url) ? new URL(url).host : id;
}
