/** The embedded broker's tables and procedures, loaded in the engine's thread. */
import type { ProcedureModule, Thread } from "../../bullmq-sqlite/index.ts";
import { matches } from "../../topic.ts";

/** The fields of a packet as JSON, and its payload. */
export type StoredPacket = [fields: string, payload: Uint8Array | string];
/** `messageId`: absent until the message was sent. `released`: PUBREC was received, so PUBREL is due. */
export type OutgoingRow = [
  brokerId: string,
  brokerCounter: number,
  messageId: number | null,
  released: number,
  ...packet: StoredPacket,
];
/** A QoS 2 message between PUBLISH and PUBREL. */
export type Received = [clientId: string, messageId: number];
export type SubscriptionRow = [clientId: string, topic: string, options: string];
export type WillRow = [clientId: string, brokerId: string, ...packet: StoredPacket];

/** `mqtt_retained` has row ids, so that the index of topics is read without the payloads. */
const TABLES = `
CREATE TABLE IF NOT EXISTS mqtt_retained (
  topic TEXT NOT NULL UNIQUE, fields TEXT NOT NULL, payload BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS mqtt_subscription (
  client_id TEXT NOT NULL, topic TEXT NOT NULL, options TEXT NOT NULL, PRIMARY KEY (client_id, topic)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS mqtt_outgoing (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  client_id TEXT NOT NULL,
  broker_id TEXT NOT NULL,
  broker_counter INTEGER NOT NULL,
  message_id INTEGER,
  released INTEGER NOT NULL DEFAULT 0,
  fields TEXT NOT NULL,
  payload BLOB NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS mqtt_outgoing_order ON mqtt_outgoing (client_id, broker_id, broker_counter);
CREATE INDEX IF NOT EXISTS mqtt_outgoing_id ON mqtt_outgoing (client_id, message_id) WHERE message_id IS NOT NULL;
CREATE TABLE IF NOT EXISTS mqtt_incoming (
  client_id TEXT NOT NULL, message_id INTEGER NOT NULL, fields TEXT NOT NULL, payload BLOB NOT NULL,
  PRIMARY KEY (client_id, message_id)
);
CREATE TABLE IF NOT EXISTS mqtt_will (
  client_id TEXT PRIMARY KEY, broker_id TEXT NOT NULL, fields TEXT NOT NULL, payload BLOB NOT NULL
)`;

/** Sorts after every other character. */
const LAST = "\u{10FFFF}";

function retainedProcedures({ db }: Thread) {
  return {
    "mqtt.retain": (topic: string, ...packet: StoredPacket) =>
      void db.run("INSERT OR REPLACE INTO mqtt_retained VALUES (?, ?, ?)", [topic, ...packet]),
    "mqtt.unretain": (topic: string) => void db.run("DELETE FROM mqtt_retained WHERE topic = ?", [topic]),

    /** Returns the row ids of the topics that match a filter. Reads the index between the filter's literal levels. */
    "mqtt.findRetained": (filter: string): number[] => {
      if (!/[+#]/.test(filter)) return db.values("SELECT rowid FROM mqtt_retained WHERE topic = ?", [filter]);
      // a/# also matches a.
      const prefix = filter.slice(0, filter.search(/[+#]/)).replace(/\/$/, "");
      const sql = "SELECT rowid, topic FROM mqtt_retained WHERE topic >= ? AND topic < ? ORDER BY topic";
      return db
        .rows<[number, string]>(sql, [prefix, prefix + LAST])
        .filter(([, topic]) => matches(filter, topic))
        .map(([rowid]) => rowid);
    },

    /** A topic may have been removed since, and another one may have taken its row id. */
    "mqtt.readRetained": (filter: string, rowids: number[]): StoredPacket[] =>
      rowids.flatMap((rowid) => {
        const sql = "SELECT topic, fields, payload FROM mqtt_retained WHERE rowid = ?";
        const [topic, ...packet] = db.row<[string, ...StoredPacket]>(sql, [rowid]) ?? [];
        return topic !== undefined && (topic === filter || matches(filter, topic)) ? [packet as StoredPacket] : [];
      }),
  };
}

function subscriptionProcedures({ db }: Thread) {
  return {
    "mqtt.subscriptions": () => db.rows<SubscriptionRow>("SELECT client_id, topic, options FROM mqtt_subscription"),
    "mqtt.subscribe": (rows: SubscriptionRow[]) => {
      for (const row of rows) db.run("INSERT OR REPLACE INTO mqtt_subscription VALUES (?, ?, ?)", row);
    },
    "mqtt.unsubscribe": (clientId: string, topics: string[]) => {
      for (const topic of topics)
        db.run("DELETE FROM mqtt_subscription WHERE client_id = ? AND topic = ?", [clientId, topic]);
    },
  };
}

const OUTGOING = "broker_id, broker_counter, message_id, released, fields, payload";
/** Packet identifiers are reused, also while an older message with the same one waits for its acknowledgement. */
const FIRST = "(SELECT min(seq) FROM mqtt_outgoing WHERE client_id = ? AND message_id = ?)";

function outgoingProcedures({ db, relaxed }: Thread) {
  /** A message that overlapping filters of a session match is stored once. */
  const insert = (clientId: string, ...[brokerId, counter, messageId, , ...packet]: OutgoingRow) =>
    db.run(
      "INSERT INTO mqtt_outgoing (client_id, broker_id, broker_counter, message_id, fields, payload) " +
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
      [clientId, brokerId, counter, messageId, ...packet],
    );

  /**
   * Stores under which packet identifier a message is sent. A filter leaves the store shortly before Aedes stops
   * delivering for it: a message in between is stored here.
   */
  const sent = (clientId: string, row: OutgoingRow) => {
    const [brokerId, counter, messageId] = row;
    const changed = db.run(
      "UPDATE mqtt_outgoing SET message_id = ? WHERE client_id = ? AND broker_id = ? AND broker_counter = ?",
      [messageId, clientId, brokerId, counter],
    );
    if (changed === 0) insert(clientId, ...row);
  };

  return {
    /** Stores a message for its sessions and, at QoS 2, the packet identifier under which it was received. */
    "mqtt.enqueue": (clientIds: string[], row: OutgoingRow, received?: Received) => {
      for (const clientId of clientIds) insert(clientId, ...row);
      // The identifier is enough: the message is never read again.
      if (received) db.run("INSERT OR REPLACE INTO mqtt_incoming VALUES (?, ?, '{}', '')", received);
    },

    "mqtt.sent": sent,
    "mqtt.sentQos1": relaxed((clientId: string, row: OutgoingRow) => sent(clientId, row)),

    /** PUBREC was received. Retained messages for a new subscription are sent without being stored. */
    "mqtt.released": (clientId: string, messageId: number) =>
      void db.run(`UPDATE mqtt_outgoing SET released = 1 WHERE seq = ${FIRST}`, [clientId, messageId]),

    /** Removes the message with this packet identifier and returns it. If a power cut undoes it, the client gets a copy. */
    "mqtt.acknowledged": relaxed((clientId: string, messageId: number) =>
      db.row<OutgoingRow>(`DELETE FROM mqtt_outgoing WHERE seq = ${FIRST} RETURNING ${OUTGOING}`, [
        clientId,
        messageId,
      ]),
    ),

    /** Returns the newest message of a session that was stored after another one, 0 if there is none. */
    "mqtt.newestOutgoing": (clientId: string, after: number) =>
      db.value<number | null>("SELECT max(seq) FROM mqtt_outgoing WHERE client_id = ? AND seq > ?", [
        clientId,
        after,
      ]) ?? 0,

    /** Returns messages stored after one place and up to another, in their order, after a broker's counter. */
    "mqtt.outgoing": (
      ...[clientId, after, until, brokerId, counter, limit]: [string, number, number, string, number, number]
    ) =>
      db.rows<OutgoingRow>(
        `SELECT ${OUTGOING} FROM mqtt_outgoing ` +
          "WHERE client_id = ? AND (broker_id, broker_counter) > (?, ?) AND seq > ? AND seq <= ? " +
          "ORDER BY broker_id, broker_counter LIMIT ?",
        [clientId, brokerId, counter, after, until, limit],
      ),
  };
}

function incomingProcedures({ db }: Thread) {
  return {
    "mqtt.storeIncoming": (clientId: string, messageId: number, ...packet: StoredPacket) =>
      void db.run("INSERT OR REPLACE INTO mqtt_incoming VALUES (?, ?, ?, ?)", [clientId, messageId, ...packet]),
    "mqtt.incoming": (clientId: string, messageId: number) =>
      db.row<StoredPacket>("SELECT fields, payload FROM mqtt_incoming WHERE client_id = ? AND message_id = ?", [
        clientId,
        messageId,
      ]),
    "mqtt.deleteIncoming": (clientId: string, messageId: number) =>
      void db.run("DELETE FROM mqtt_incoming WHERE client_id = ? AND message_id = ?", [clientId, messageId]),
    "mqtt.cleanIncoming": (clientId: string) =>
      void db.run("DELETE FROM mqtt_incoming WHERE client_id = ?", [clientId]),
  };
}

function willProcedures({ db }: Thread) {
  const will = (clientId: string) =>
    db.row<WillRow>("SELECT client_id, broker_id, fields, payload FROM mqtt_will WHERE client_id = ?", [clientId]);
  return {
    "mqtt.will": will,
    "mqtt.wills": () => db.rows<WillRow>("SELECT client_id, broker_id, fields, payload FROM mqtt_will"),
    "mqtt.putWill": (...row: WillRow) => void db.run("INSERT OR REPLACE INTO mqtt_will VALUES (?, ?, ?, ?)", row),
    "mqtt.deleteWill": (clientId: string) => {
      const found = will(clientId);
      if (found) db.run("DELETE FROM mqtt_will WHERE client_id = ?", [clientId]);
      return found;
    },
  };
}

const brokerProcedures = (thread: Thread) => {
  thread.db.exec(TABLES);
  return {
    ...retainedProcedures(thread),
    ...subscriptionProcedures(thread),
    ...outgoingProcedures(thread),
    ...incomingProcedures(thread),
    ...willProcedures(thread),
  };
};

export default brokerProcedures satisfies ProcedureModule;
