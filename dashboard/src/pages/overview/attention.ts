/** Everything that needs a person: what, since when, why, and one action. Pure. */
import type { Status, Webhook } from "causeway-mqtt/client";
import { countOf } from "../../data/format.ts";
import { type Check, nameOf, type Tone } from "../../data/states.ts";

export type Act =
  | { kind: "open"; word: string; page: string; query?: Record<string, string> }
  | { kind: "resume" | "verify"; word: string; webhookId: string };

export interface Attention {
  id: string;
  tone: Tone;
  /** The state in one word. */
  state: string;
  what: string;
  why: string;
  /** RFC 3339. */
  since?: string | undefined;
  /** The course of things without a person. */
  next?: string;
  /** The next try, RFC 3339. */
  nextAt?: string | undefined;
  act?: Act;
  webhookId?: string;
}

/** From this number of waiting deliveries on, a webhook that does not fail is shown, too. */
export const MANY_WAITING = 1_000;

const CHECKS: Record<string, Pick<Attention, "what" | "next">> = {
  broker: { what: "The broker is not connected", next: "The bridge reconnects by itself." },
  uplink: { what: "Messages are not received", next: "The bridge subscribes again by itself." },
  store: { what: "The store accepts nothing", next: "Messages stay at the broker until it does." },
  consumption: { what: "Deliveries are not processed", next: "They wait in the store." },
};

/** Failed checks of the bridge. Without the broker there is no uplink either, which needs no mention. */
export function checksNeedingAttention(checks: Record<string, Check>): Attention[] {
  return Object.entries(checks)
    .filter(([name, { ok }]) => !ok && !(name === "uplink" && checks.broker?.ok === false))
    .map(([name, { detail }]) => ({
      id: `check-${name}`,
      tone: "failed" as const,
      state: "Down",
      what: `The check ${name} fails`,
      ...CHECKS[name],
      why: detail ?? "no reason given",
      act: { kind: "open" as const, word: "Show the checks", page: "settings" },
    }));
}

/** Documents of CONFIG_DIR that the bridge refused at its start. */
export function configurationNeedsAttention(configuration: Status["configuration"]): Attention[] {
  const [first] = configuration?.refused ?? [];
  if (!configuration || !first) return [];
  return [
    {
      ...{ id: "check-configuration", tone: "failed", state: "Refused" },
      what: `${countOf(configuration.refused.length, "document")} of CONFIG_DIR not applied`,
      since: configuration.appliedAt ?? undefined,
      why: `${first.kind} ${first.identity}: ${first.detail.replace(/\.$/, "")}`,
      next: "The bridge applies the folder again at its next start.",
      act: { kind: "open", word: "Show the configuration", page: "settings" },
    },
  ];
}

export function webhookNeedsAttention(webhook: Webhook): Attention[] {
  const { id, state, failingSince, nextProbeAt, disabled, verification, refusedTopics = [] } = webhook;
  const [what, webhookId] = [nameOf(webhook), id];
  const found: Attention[] = [];
  if (state === "failing") {
    found.push({
      ...{ id: `failing-${id}`, tone: "retrying", state: "Failing", what, webhookId },
      since: failingSince ?? undefined,
      why: `every attempt fails${waitingSuffix(webhook)}`,
      nextAt: nextProbeAt ?? undefined,
      act: { kind: "open", word: "Show deliveries", page: "deliveries", query: { webhookId } },
    });
  }
  if (state === "disabled") {
    found.push({
      ...{ id: `disabled-${id}`, tone: "failed", state: "Disabled", what, webhookId },
      since: disabled?.at,
      why: `${disabled?.reason ?? "no reason recorded"}${waitingSuffix(webhook)}`,
      next: "Nothing is sent until it is resumed.",
      act: { kind: "resume", word: "Resume", webhookId },
    });
  }
  if (verification?.state === "pending") {
    found.push({
      ...{ id: `pending-${id}`, tone: "paused", state: "Not verified", what, webhookId },
      since: verification.at,
      why: `the receiver has not agreed yet${waitingSuffix(webhook)}`,
      next: "Nothing is sent until it agrees.",
      act: { kind: "verify", word: "Ask again", webhookId },
    });
  }
  const [refused] = refusedTopics;
  if (refused) {
    const more = refusedTopics.length > 1 ? `, and ${countOf(refusedTopics.length - 1, "more filter")}` : "";
    found.push({
      ...{ id: `refused-${id}`, tone: "failed", state: "Filter refused", what, webhookId },
      why: `the broker refuses ${refused.topic}: ${refused.reason}${more}`,
      next: "The other filters are received.",
      act: { kind: "open", word: "Open the webhook", page: `webhooks/${id}` },
    });
  }
  return found.length > 0 ? found : manyWaiting(webhook);
}

function manyWaiting(webhook: Webhook): Attention[] {
  const { id, state } = webhook;
  if (waitingOf(webhook) < MANY_WAITING) return [];
  return [
    {
      ...{ id: `waiting-${id}`, tone: "retrying", state: "Many waiting", what: nameOf(webhook), webhookId: id },
      why: `${countOf(waitingOf(webhook), "delivery waits", "deliveries wait")}${state === "paused" ? " while it is paused" : ""}`,
      next: state === "paused" ? "They are sent when it is resumed." : "They are sent in order of arrival.",
      act: { kind: "open", word: "Open the webhook", page: `webhooks/${id}` },
    },
  ];
}

export function waitingOf({ counts: { pending, active, retrying } }: Pick<Webhook, "counts">): number {
  return pending + active + retrying;
}

function waitingSuffix(webhook: Webhook): string {
  const waiting = waitingOf(webhook);
  return waiting === 0 ? "" : `, ${countOf(waiting, "delivery waits", "deliveries wait")}`;
}

const ORDER: Tone[] = ["failed", "retrying", "paused"];

/** The worst first, then the newest. */
export function inOrder(items: readonly Attention[]): Attention[] {
  const rank = ({ tone, id }: Attention) => (id.startsWith("check-") ? -1 : ORDER.indexOf(tone));
  return [...items].sort((a, b) => rank(a) - rank(b) || (b.since ?? "").localeCompare(a.since ?? ""));
}
