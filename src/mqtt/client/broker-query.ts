/** Queries a broker over a dedicated connection: every wait has a timeout, every failure a BrokerQueryError. */
import { BrokerQueryError } from "../../errors.ts";
import { withDeadline } from "../../lib/deadline.ts";
import { reasonOf } from "../../security/redaction.ts";
import type { Connection } from "./connection.ts";

/** Time limit of one answer of the broker. */
export const ANSWER_MS = 5_000;
const GRACE_MS = 50;
const GRACE_ROUND_TRIPS = 3;

/**
 * Returns after how much silence no more retained messages are expected: 50 ms, and longer, up to ANSWER_MS, if the
 * broker is far away or busy.
 */
export function graceMs(roundTripMs: number): number {
  return Math.min(ANSWER_MS, Math.max(GRACE_MS, GRACE_ROUND_TRIPS * roundTripMs));
}

/** Waits until the connection is usable. @throws BrokerQueryError */
export async function connected(connection: Connection): Promise<Connection> {
  if (connection.connected) return connection;
  // The broker is available, or `outage` would have reported it: this connection opens, negotiates the version or
  // reconnects.
  if (connection.state === "taken_over" || connection.state === "closed") throw unavailable(connection.lastError);
  await within(ANSWER_MS, connection.untilConnected());
  return connection;
}

/** Converts the failure of a SUBSCRIBE or UNSUBSCRIBE. */
export function queryError(error: unknown): BrokerQueryError {
  if (error instanceof BrokerQueryError) return error;
  const refused = (error as { packet?: { granted?: number[] } }).packet?.granted?.[0];
  if (refused === undefined) return unavailable(reasonOf(error));
  return new BrokerQueryError("refused", `the broker refused the subscription (0x${refused.toString(16)})`);
}

export function unavailable(reason: string | undefined): BrokerQueryError {
  return new BrokerQueryError("unavailable", reason ?? "there is no connection to the broker");
}

export function tooMany(what: string): BrokerQueryError {
  return new BrokerQueryError("busy", `too many ${what} are in progress`);
}

export function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  return withDeadline(promise, ms, () => unavailable(`the broker did not answer within ${ms / 1000} s`));
}
