/** The webhooks and checks that need a person. */
import type { Status, Webhook } from "causeway-mqtt/client";
import { causeway } from "../../data/causeway.ts";
import { EVERY, useData } from "../../data/query.ts";
import { useRights } from "../../data/session.tsx";
import type { Check } from "../../data/states.ts";
import {
  type Attention,
  checksNeedingAttention,
  configurationNeedsAttention,
  inOrder,
  webhookNeedsAttention,
} from "./attention.ts";
import { brokerOf } from "./status.ts";

const PAGE = 250;
/** Webhooks that are examined for refused filters and waiting deliveries. Failing and disabled ones are always found. */
export const EXAMINED = 1_000;

/** Failing and disabled webhooks; at most {@link PAGE} of each. */
export function useUnhealthy() {
  const { can } = useRights();
  return useData(
    ["webhooks", "unhealthy"],
    async (options) => {
      const pages = await Promise.all(
        (["failing", "disabled"] as const).map((state) =>
          causeway.webhooks.list({ state, limit: PAGE }, options).page(),
        ),
      );
      return {
        items: pages.flatMap(({ items }) => items),
        hasMore: pages.some(({ nextCursor }) => nextCursor !== null),
      };
    },
    { everyMs: EVERY.few, enabled: can("view", "webhooks") },
  );
}

function useExamined() {
  const { can } = useRights();
  return useData(
    ["webhooks", "examined"],
    async (options) => {
      const found: Webhook[] = [];
      for await (const { items, nextCursor } of causeway.webhooks.list({ limit: PAGE }, options).pages()) {
        found.push(...items);
        if (found.length >= EXAMINED) return { items: found, hasMore: nextCursor !== null };
      }
      return { items: found, hasMore: false };
    },
    { everyMs: EVERY.slow, enabled: can("view", "webhooks") },
  );
}

export interface AttentionData {
  items: Attention[];
  /** Whether everything has been read that the key may see. */
  isKnown: boolean;
  paused: number;
  /** Number of webhooks, as far as it is known without the status. */
  examined: number | undefined;
  isPartial: boolean;
  error: Error | null;
  readAt: number;
}

export function useAttention(status: Status | undefined, checks: Record<string, Check> | undefined): AttentionData {
  const { can } = useRights();
  const unhealthy = useUnhealthy();
  const examined = useExamined();
  const seesWebhooks = can("view", "webhooks");
  // The newer read of each webhook.
  const webhooks = new Map((examined.data?.items ?? []).map((webhook) => [webhook.id, webhook]));
  const others = [...webhooks.values()].filter(({ state }) => state === "active" || state === "paused");
  const shown = new Map([...others, ...(unhealthy.data?.items ?? [])].map((webhook) => [webhook.id, webhook]));
  const items = inOrder([
    ...checksNeedingAttention(checks ?? checksOf(status)),
    ...configurationNeedsAttention(status?.configuration),
    ...[...shown.values()].flatMap(webhookNeedsAttention),
  ]);
  const isPaused = ({ state, verification }: Webhook) => state === "paused" && verification?.state !== "pending";
  return {
    items,
    isKnown: !seesWebhooks || (unhealthy.data !== undefined && examined.data !== undefined),
    paused: [...shown.values()].filter(isPaused).length,
    examined: examined.data?.items.length,
    isPartial: Boolean(examined.data?.hasMore || unhealthy.data?.hasMore),
    error: unhealthy.error ?? examined.error,
    readAt: unhealthy.readAt,
  };
}

/** The check of the broker by the status, where a proxy hides /readyz. */
function checksOf(status: Status | undefined): Record<string, Check> {
  const broker = status && brokerOf(status);
  return broker && !broker.connected ? { broker: { ok: false, detail: broker.error ?? "not connected" } } : {};
}
