/** State of the bridge: readiness probes, `/v1/status`, queue depths. */
import { createRequire } from "node:module";
import type { ConfigurationStatus } from "../configuration/folder.ts";
import { protocolName } from "../mqtt/client/connection.ts";
import type { Publisher } from "../mqtt/client/publisher.ts";
import type { SubscriberSession } from "../mqtt/receive/session.ts";
import type { Store } from "../store/store.ts";
import { RECEIVER } from "../uplink/receive/receiver-election.ts";
import { type LedgerPorts, readBooks } from "./books.ts";
import type { Canary, Check, Probes } from "./health.ts";
import { MAX_LABELLED_WEBHOOKS } from "./metrics.ts";

/** The capabilities of a process that affect its status. */
interface StatusCapabilities {
  /** Connects to the broker. */
  connection: boolean;
  /** May become the receiver. */
  receiver: boolean;
  /** Runs queue workers. */
  canary: boolean;
}

/** package.json is two folders up both from src/ops and from dist/ops. */
const { version } = createRequire(import.meta.url)("../../package.json") as { version: string };

type BrokerConnection = Pick<Publisher["connection"], "connected" | "lastError" | "state" | "protocol">;

/** The receiver, here or on another instance. */
interface ReceiverState {
  /** Its name, undefined while it is unknown, and whether it is this instance. */
  readonly holder: { name: string | undefined; here: boolean };
  /** Sessions of this instance. */
  readonly sessions: readonly Pick<SubscriberSession, "status" | "pending">[];
  readonly isSynchronized: boolean;
  readonly oldestFlushMs: number;
}

/** A flush that takes longer means that the store accepts no writes. */
const STUCK_FLUSH_MS = 5_000;

export interface ProbePorts {
  runs: StatusCapabilities;
  connection: BrokerConnection;
  store: Pick<Store, "ping">;
  receiver: ReceiverState;
  canary: Pick<Canary, "probe">;
}

export function createProbes({ runs, connection, store, receiver, canary }: ProbePorts): Probes {
  return {
    ...(runs.connection && {
      broker: () => {
        const { connected, lastError, state } = connection;
        return connected ? { ok: true } : { ok: false, detail: lastError ?? state };
      },
    }),
    ...(runs.receiver && { uplink: () => uplinkCheck(receiver) }),
    store: async () => {
      await store.ping();
      const stuck = receiver.oldestFlushMs;
      return stuck > STUCK_FLUSH_MS
        ? { ok: false, detail: `a batch waits for ${Math.round(stuck / 1000)} s` }
        : { ok: true };
    },
    ...(runs.canary && { consumption: () => canary.probe() }),
  };
}

/** Checks this instance's sessions. If another instance is the receiver, its own check reports their state. */
export function uplinkCheck({
  holder,
  sessions,
  isSynchronized,
}: Pick<ReceiverState, "holder" | "sessions" | "isSynchronized">): Check {
  if (holder.name === undefined) return { ok: false, detail: "no instance is known to receive" };
  if (!holder.here) return { ok: true, detail: `held by ${holder.name}` };
  for (const { status } of sessions) {
    const { clientId, state, error, wanted, granted, refused } = status;
    if (state !== "connected") return { ok: false, detail: `${clientId}: ${error ?? state}` };
    const [first] = refused;
    // The probe needs no key, so it names no topic.
    if (first) return { ok: false, detail: `${clientId}: a filter is refused (see /v1/status): ${first.reason}` };
    if (granted < wanted) return { ok: false, detail: `${clientId}: ${granted} of ${wanted} filters are subscribed` };
  }
  return isSynchronized ? { ok: true } : { ok: false, detail: "the subscriptions do not follow the webhooks yet" };
}

export interface StatusPorts {
  /** The name of this instance among those that share the store. */
  instance: string;
  roles: readonly string[];
  runs: StatusCapabilities;
  connection: BrokerConnection;
  broker: { url: string; embedded: boolean };
  /** Limits that the broker grants; undefined while it is away. */
  granted: () => Publisher["granted"];
  store: Pick<Store, "kind" | "warnings" | "capacity">;
  /** Warnings for the operator, in addition to the store's own. */
  warnings: readonly string[];
  receiver: ReceiverState;
  webhooks: { readonly size: number };
  ledgers: LedgerPorts;
  /** The settings in effect, without secrets. */
  settings: Record<string, unknown>;
  /** Absent: this process applies no documents. */
  configuration?: { readonly status: ConfigurationStatus } | undefined;
}

export function createStatus(ports: StatusPorts) {
  const { instance, roles, runs, connection, broker, store, warnings, receiver, webhooks, ledgers, configuration } =
    ports;
  const startedAt = new Date();
  const ofProcess = () => ({
    version,
    instance,
    roles,
    node: process.version,
    startedAt: startedAt.toISOString(),
    uptimeSeconds: Math.floor((Date.now() - startedAt.getTime()) / 1_000),
  });
  const ofBroker = () => ({
    connected: connection.connected,
    protocol: protocolName(connection.protocol) ?? null,
    ...(ports.granted() ?? { maximumQos: null, retainAvailable: null }),
  });
  /** @param own ids of the only webhooks to report about: neither topics, errors nor totals of others are shown */
  return async (own?: readonly string[]) => {
    if (own) {
      return {
        ...ofProcess(),
        broker: runs.connection ? ofBroker() : null,
        store: { kind: store.kind },
        lanes: [{ ...receiverStatus(receiver), sessions: [] }],
        webhooks: own.length,
      };
    }
    // Null if the store is unavailable: the rest of the status is useful just then.
    const [books, capacity] = await Promise.all([
      readBooks(ledgers).catch(() => null),
      store.capacity().catch(() => null),
    ]);
    return {
      ...ofProcess(),
      broker: runs.connection ? { ...broker, ...ofBroker(), error: connection.lastError ?? null } : null,
      store: { kind: store.kind, warnings: [...store.warnings, ...warnings], capacity },
      lanes: [receiverStatus(receiver)],
      webhooks: webhooks.size,
      settings: ports.settings,
      books,
      ...(configuration && { configuration: configuration.status }),
    };
  };
}

function receiverStatus({ holder, sessions }: ReceiverState) {
  const own = sessions.map(({ status, pending }) => ({ ...status, pending }));
  return { lane: RECEIVER, holder: holder.name ?? null, here: holder.here, sessions: own };
}

export interface GaugePorts {
  runs: StatusCapabilities;
  connection: BrokerConnection;
  store: Pick<Store, "ping">;
  receiver: ReceiverState;
  webhooks: { readonly size: number; all(): { id: string }[] };
  deliveries: { count(webhookId: string): Promise<WaitingCounts> };
  health: { readonly failing: number };
  outbox: { waiting(): Promise<number> };
  ledgers: LedgerPorts;
}

/** Values for `/metrics`. Beyond MAX_LABELLED_WEBHOOKS webhooks, deliveries are not counted: it would cost too much. */
export async function queueDepths(ports: GaugePorts) {
  const { runs, connection, store, receiver, deliveries, health, outbox, ledgers } = ports;
  const webhooks = ports.webhooks.all().slice(0, MAX_LABELLED_WEBHOOKS);
  const few = ports.webhooks.size <= MAX_LABELLED_WEBHOOKS;
  const counts = few ? await Promise.allSettled(webhooks.map(({ id }) => deliveries.count(id))) : [];
  const storeUp = await store.ping().then(
    () => true,
    () => false,
  );
  return {
    waiting: counts.flatMap((result, i) =>
      result.status === "rejected" ? [] : [{ webhook: webhooks[i]!.id, ...pick(result.value) }],
    ),
    uplinkPending: receiver.sessions.reduce((sum, { pending }) => sum + pending, 0),
    outboxWaiting: await outbox.waiting().catch(() => Number.NaN),
    up: { ...(runs.connection && { broker: connection.connected }), store: storeUp },
    webhooks: ports.webhooks.size,
    failing: health.failing,
    books: await readBooks(ledgers).catch(() => undefined),
  };
}

/** Deliveries of a webhook that have not succeeded. */
interface WaitingCounts {
  pending: number;
  retrying: number;
  active: number;
  failed: number;
}

function pick({ pending, retrying, active, failed }: WaitingCounts): WaitingCounts {
  return { pending, retrying, active, failed };
}
