/**
 * The only place that decides which part runs in which process. Every process has the store, the registrations and the
 * records of endpoint health and receiver election, and serves health, readiness, metrics and status; processes
 * communicate only through the store.
 */
import type { Role } from "../config/config.ts";

export type Running = ReturnType<typeof capabilitiesOf>;

export function capabilitiesOf(roles: readonly Role[]) {
  const [api, uplink, delivery] = [roles.includes("api"), roles.includes("uplink"), roles.includes("delivery")];
  return {
    /** The operations of the contract and the documents; streams and synchronous requests. */
    api,
    /** A connection to publish and to read retained messages; a standby also needs it to know that it could receive. */
    connection: api || uplink,
    /** Publishes stored messages of all processes, including replies and events of the bridge. */
    outbox: api,
    /** Stores the responses to stored requests. */
    responses: api,
    /** The record cache of stored requests: their response topics are part of the subscriptions. */
    requests: api || uplink,
    /** May become the receiver: subscribes, receives, enqueues. Other processes only know the receiver's name. */
    receiver: uplink,
    /** Enqueues retained messages for new webhooks: uses the same broker, once the subscriptions are active. */
    snapshots: uplink,
    /** Calls the webhooks, tracks their health and announces changes. */
    workers: delivery,
    /** Runs replays in the background. */
    replays: delivery,
    /** Needed where deliveries are added as well as where they end: none ends while a webhook is paused. */
    retention: uplink || delivery,
    /** Checks that BullMQ's workers consume; only useful in a process that has workers. */
    canary: api || delivery,
  };
}
