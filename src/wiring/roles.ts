/**
 * Which part runs in which process: the one place that says so. Every process has the store, the registrations, what
 * is known of the endpoints and of the lane, and serves health, readiness, metrics and status; anything that is asked
 * of another process goes through the store.
 */
import type { Role } from "../config/config.ts";

export type Running = ReturnType<typeof capabilitiesOf>;

export function capabilitiesOf(roles: readonly Role[]) {
  const [api, uplink, delivery] = [roles.includes("api"), roles.includes("uplink"), roles.includes("delivery")];
  return {
    /** The operations of the contract and the documents; streams, and requests whose caller waits. */
    api,
    /** A connection to publish and to read what is retained; without it a standby could not tell that it can receive. */
    connection: api || uplink,
    /** Publishes what was stored, from whichever process: replies and events of the bridge among it. */
    outbox: api,
    /** Writes down the answers to stored requests. */
    answers: api,
    /** The stored requests in memory: where answers are expected is part of what is subscribed. */
    requests: api || uplink,
    /** May hold the lane: subscribes, receives, enqueues. Others only know who does. */
    lane: uplink,
    /** Retained messages for new webhooks: the same broker, and once the lane is in step. */
    snapshots: uplink,
    /** Calls the webhooks, judges their health, tells of it. */
    workers: delivery,
    /** Makes deliveries again in the background. */
    replays: delivery,
    /** Follows what is added as well as what has ended: nothing ends while a webhook is paused. */
    retention: uplink || delivery,
    /** Whether BullMQ's workers consume is only of interest where there are some. */
    canary: api || delivery,
  };
}
