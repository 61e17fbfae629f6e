/** The first line: is my data getting through, and if not, why? Pure. */
import { countOf, formatCount } from "../../data/format.ts";
import type { Attention } from "./attention.ts";

export interface LeadFacts {
  /** Items of the bridge and of its webhooks. */
  attention: readonly Attention[];
  /** Number of webhooks, undefined while unknown. */
  webhooks: number | undefined;
  /** How many of them are paused on purpose. */
  paused: number;
  /** Whether the key may see which webhooks fail. */
  knowsWebhooks: boolean;
}

export function leadOf({ attention, webhooks, paused, knowsWebhooks }: LeadFacts): string {
  const bridge = attention.filter(({ webhookId }) => webhookId === undefined).map(({ what }) => `${what}.`);
  const affected = new Set(attention.flatMap(({ webhookId }) => webhookId ?? [])).size;
  const ofWebhooks = webhooks === undefined ? "" : webhooksLead({ webhooks, affected, paused, knowsWebhooks });
  return [...bridge, ofWebhooks].filter(Boolean).join(" ");
}

interface WebhookFacts {
  webhooks: number;
  affected: number;
  paused: number;
  knowsWebhooks: boolean;
}

function webhooksLead({ webhooks, affected, paused, knowsWebhooks }: WebhookFacts): string {
  if (webhooks === 0) return "No webhooks yet.";
  if (!knowsWebhooks) return `${countOf(webhooks, "webhook")} registered.`;
  if (affected > 0) {
    const verb = affected === 1 ? "needs" : "need";
    return webhooks === 1 ? "The webhook needs attention." : `${countOf(affected, "webhook")} ${verb} attention.`;
  }
  if (paused > 0) {
    const rest = webhooks - paused;
    return rest === 0
      ? `${countOf(webhooks, "webhook")}, all paused.`
      : `${countOf(rest, "webhook")} healthy, ${formatCount(paused)} paused.`;
  }
  return webhooks === 1 ? "The webhook is healthy." : `All ${formatCount(webhooks)} webhooks healthy.`;
}

/** `212 msg/s in, 212/s out.` */
export function ratesLead(rates: { received: number; delivered: number } | undefined, isMessages = true): string {
  if (!rates) return "";
  const [into, out] = [formatPace(rates.received), formatPace(rates.delivered)];
  return `${isMessages ? into.replace("/", " msg/") : into} in, ${out} out.`;
}

/** `1,240/s`, `0.4/s`; less often `3/min`. */
export function formatPace(perSecond: number): string {
  if (perSecond === 0 || perSecond >= 0.1) {
    const digits = perSecond < 10 ? 1 : 0;
    return `${perSecond.toLocaleString("en", { maximumFractionDigits: digits })}/s`;
  }
  return `${(perSecond * 60).toLocaleString("en", { maximumFractionDigits: 1 })}/min`;
}
