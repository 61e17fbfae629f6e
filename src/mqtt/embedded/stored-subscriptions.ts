/**
 * Index of the sessions for which a QoS 1 or 2 message must be stored. aedes-persistence-level 9.2 looks up a new
 * filter as if it were a topic: of two overlapping filters of one session it keeps only one. Once that one is
 * unsubscribed, nothing is stored for the session, but Aedes still delivers to it, does not find the message and
 * disconnects the client. This index replaces the look-up; the subscriptions stay in the same database.
 */
import type { LevelPersistence, StoredSubscription } from "aedes-persistence-level";
import type { ClassicLevel } from "classic-level";
import { TopicIndex } from "../../topic-index.ts";

const PREFIX = "subscriptions:";

/** Loads the stored subscriptions and replaces the look-up. Call before the broker starts. */
export async function mendSubscriptions(
  persistence: LevelPersistence,
  db: ClassicLevel<string, Buffer>,
): Promise<void> {
  const sessions = new Map<string, Map<string, StoredSubscription>>();
  const index = new TopicIndex<StoredSubscription>();
  const remove = (clientId: string, filter: string) => {
    const filters = sessions.get(clientId);
    const known = filters?.get(filter);
    if (known) index.remove(filter, known);
    filters?.delete(filter);
    if (filters?.size === 0) sessions.delete(clientId);
  };
  const add = (subscription: StoredSubscription) => {
    const { clientId, topic, qos } = subscription;
    remove(clientId, topic);
    if (qos === 0) return; // QoS 0 messages are not stored
    if (!sessions.has(clientId)) sessions.set(clientId, new Map());
    sessions.get(clientId)!.set(topic, subscription);
    index.add(topic, subscription);
  };

  for (const clientId of await storedClients(db)) {
    for (const subscription of await persistence.subscriptionsByClient({ id: clientId }))
      add({ ...subscription, clientId });
  }

  const { addSubscriptions, removeSubscriptions, cleanSubscriptions, outgoingUpdate } = persistence;
  persistence.addSubscriptions = async (client, subscriptions) => {
    await addSubscriptions.call(persistence, client, subscriptions);
    for (const subscription of subscriptions) add({ ...subscription, clientId: client.id });
  };
  persistence.removeSubscriptions = async (client, filters) => {
    await removeSubscriptions.call(persistence, client, filters);
    for (const filter of filters) remove(client.id, filter);
  };
  persistence.cleanSubscriptions = async (client) => {
    await cleanSubscriptions.call(persistence, client);
    for (const filter of [...(sessions.get(client.id)?.keys() ?? [])]) remove(client.id, filter);
  };
  persistence.subscriptionsByTopic = async (topic) => {
    const found = new Map<string, StoredSubscription>();
    for (const subscription of index.match(topic)) {
      const other = found.get(subscription.clientId);
      if (!other || other.qos < subscription.qos) found.set(subscription.clientId, subscription);
    }
    return [...found.values()];
  };
  // A filter leaves the store shortly before Aedes stops delivering for it: a message in between is stored here.
  persistence.outgoingUpdate = async (client, packet) => {
    try {
      await outgoingUpdate.call(persistence, client, packet);
    } catch (error) {
      if ((error as Error).message !== "no such packet" || packet.cmd !== "publish") throw error;
      await persistence.outgoingEnqueueCombi([{ clientId: client.id }], packet);
      await outgoingUpdate.call(persistence, client, packet);
    }
  };
}

/** Keys are `subscriptions:<client id, percent-encoded>:<filter>`. */
async function storedClients(db: ClassicLevel<string, Buffer>): Promise<Set<string>> {
  const clients = new Set<string>();
  for await (const key of db.keys({ gte: PREFIX, lt: `${PREFIX.slice(0, -1)};` })) {
    clients.add(decodeURIComponent(key.slice(PREFIX.length, key.indexOf(":", PREFIX.length))));
  }
  return clients;
}
