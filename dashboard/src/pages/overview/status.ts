/** Reading the open schema of `GET /v1/status`. Pure. */
import type { Status } from "causeway-mqtt/client";

export interface BrokerStatus {
  connected: boolean;
  protocol: string | null;
  /** Absent for keys without `admin`, as are `embedded` and `error`. */
  url?: string;
  embedded?: boolean;
  error?: string | null;
}

export interface SessionStatus {
  clientId: string;
  state: string;
  protocol?: string;
  error?: string;
  wanted: number;
  granted: number;
  refused: { filter: string; reason: string }[];
  /** Received messages that are not acknowledged yet. */
  pending: number;
}

export interface StoreStatus {
  kind: string;
  /** Absent for keys without `admin`. */
  warnings?: string[];
}

export type Books = NonNullable<Status["books"]>;

/** Undefined in a process without a connection of its own. */
export function brokerOf({ broker }: Status): BrokerStatus | undefined {
  return (broker as BrokerStatus | null | undefined) ?? undefined;
}

export function storeOf({ store }: Status): StoreStatus {
  return (store as StoreStatus | undefined) ?? { kind: "unknown" };
}

export function receiverOf({ lanes }: Status): { holder: string | null; here: boolean; sessions: SessionStatus[] } {
  const [lane] = lanes ?? [];
  return {
    holder: lane?.holder ?? null,
    here: lane?.here ?? false,
    sessions: (lane?.sessions ?? []) as unknown as SessionStatus[],
  };
}

/** `embedded store`, `Redis`. */
export function storeName({ kind }: StoreStatus): string {
  return kind === "redis" ? "Redis" : kind;
}

/** `mqtt://10.0.0.7:1883`, `embedded broker, mqtt://127.0.0.1:1883`. */
export function brokerName({ url, embedded }: BrokerStatus): string | undefined {
  return url && (embedded ? `embedded, ${url}` : url);
}
