/** State of the bridge: readiness probes, `/v1/status`, queue depths. */
import { createRequire } from "node:module";
import type { Outbox } from "../downlink/outbox.ts";
import { protocolName } from "../mqtt/client/connection.ts";
import type { Publisher } from "../mqtt/client/publisher.ts";
import type { SubscriberSession } from "../mqtt/receive/session.ts";
import type { Store } from "../store/store.ts";
import { RECEIVER } from "../uplink/receive/receiver-election.ts";
import type { Uplink } from "../uplink/uplink.ts";
import type { WebhookRegistry } from "../webhooks/registry.ts";
import type { Canary, Check, Probes } from "./health.ts";
import { MAX_LABELLED_WEBHOOKS } from "./metrics.ts";

/** The capabilities of a process that affect its status. */
interface Running {
  /** Connects to the broker. */
  connection: boolean;
  /** May become the receiver. */
  receiver: boolean;
}

/** package.json is two folders up both from src/ops and from dist/ops. */
const { version } = createRequire(import.meta.url)("../../package.json") as { version: string };

export interface Parts {
  /** The name of this instance among those that share the store. */
  instance: string;
  store: Store;
  publisher: Publisher;
  uplink: Uplink<SubscriberSession>;
  registry: WebhookRegistry;
  runs: Running;
  /** Absent if this process runs no queue workers. */
  canary?: Canary | undefined;
  outbox: Outbox;
}

/** A flush that takes longer means that the store accepts no writes. */
const STUCK_FLUSH_MS = 5_000;

export function createProbes({ store, publisher, uplink, runs, canary }: Parts): Probes {
  return {
    ...(runs.connection && {
      broker: () => {
        const { connected, lastError, state } = publisher.connection;
        return connected ? { ok: true } : { ok: false, detail: lastError ?? state };
      },
    }),
    ...(runs.receiver && { uplink: () => uplinkCheck(uplink) }),
    store: async () => {
      await store.ping();
      const stuck = uplink.oldestFlushMs();
      return stuck > STUCK_FLUSH_MS
        ? { ok: false, detail: `a batch waits for ${Math.round(stuck / 1000)} s` }
        : { ok: true };
    },
    ...(canary && { consumption: () => canary.probe() }),
  };
}

/** Checks this instance's sessions. If another instance is the receiver, its own check reports their state. */
export function uplinkCheck({
  holder,
  sessions,
  inStep,
}: Pick<Parts["uplink"], "holder" | "sessions" | "inStep">): Check {
  const { name, here } = holder();
  if (name === undefined) return { ok: false, detail: "no instance is known to receive" };
  if (!here) return { ok: true, detail: `held by ${name}` };
  for (const { status } of sessions()) {
    const { clientId, state, error, wanted, granted, refused } = status;
    if (state !== "connected") return { ok: false, detail: `${clientId}: ${error ?? state}` };
    const [first] = refused;
    if (first) return { ok: false, detail: `${clientId}: ${first.filter}: ${first.reason}` };
    if (granted < wanted) return { ok: false, detail: `${clientId}: ${granted} of ${wanted} filters are subscribed` };
  }
  return inStep() ? { ok: true } : { ok: false, detail: "the subscriptions do not follow the webhooks yet" };
}

interface StatusParts extends Parts {
  roles: readonly string[];
  broker: { url: string; embedded: boolean };
  /** Warnings for the operator, in addition to the store's own. */
  warnings: readonly string[];
}

export function createStatus(parts: StatusParts) {
  const { instance, store, publisher, uplink, registry, runs, roles, broker } = parts;
  const startedAt = new Date();
  return async () => ({
    version,
    instance,
    roles,
    node: process.version,
    startedAt: startedAt.toISOString(),
    uptimeSeconds: Math.floor((Date.now() - startedAt.getTime()) / 1_000),
    broker: runs.connection
      ? {
          ...broker,
          connected: publisher.connection.connected,
          protocol: protocolName(publisher.connection.protocol) ?? null,
          error: publisher.connection.lastError ?? null,
        }
      : null,
    store: { kind: store.kind, warnings: [...store.warnings, ...parts.warnings] },
    lanes: [receiverStatus(uplink)],
    webhooks: registry.size,
    // Null if the store is unavailable: the rest of the status is useful just then.
    books: await uplink.books().catch(() => null),
  });
}

function receiverStatus({ holder, sessions }: Parts["uplink"]) {
  const { name = null, here } = holder();
  const own = sessions().map(({ status, pending }) => ({ ...status, pending }));
  return { lane: RECEIVER, holder: name, here, sessions: own };
}

/** Values for `/metrics`. Beyond MAX_LABELLED_WEBHOOKS webhooks, deliveries are not counted: it would cost too much. */
export async function queueDepths({ uplink, registry, publisher, store, outbox, runs }: Parts) {
  const webhooks = registry.all().slice(0, MAX_LABELLED_WEBHOOKS);
  const few = registry.size <= MAX_LABELLED_WEBHOOKS;
  const counts = few ? await Promise.allSettled(webhooks.map(({ id }) => uplink.count(id))) : [];
  const storeUp = await store.ping().then(
    () => true,
    () => false,
  );
  return {
    waiting: counts.flatMap((result, i) =>
      result.status === "rejected" ? [] : [{ webhook: webhooks[i]!.id, ...pick(result.value) }],
    ),
    uplinkPending: uplink.sessions().reduce((sum, { pending }) => sum + pending, 0),
    outboxWaiting: await outbox.waiting().catch(() => Number.NaN),
    up: { ...(runs.connection && { broker: publisher.connection.connected }), store: storeUp },
    webhooks: registry.size,
    failing: uplink.failing(),
    books: await uplink.books().catch(() => undefined),
  };
}

function pick({
  pending,
  retrying,
  active,
  failed,
}: {
  pending: number;
  retrying: number;
  active: number;
  failed: number;
}) {
  return { pending, retrying, active, failed };
}
