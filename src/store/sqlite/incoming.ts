import type { Thread } from "../../bullmq-sqlite/index.ts";
import type { IncomingStore } from "../store.ts";
import type { Database } from "./database.ts";

const TABLE = `
CREATE TABLE IF NOT EXISTS causeway_incoming (
  client_id TEXT NOT NULL,
  packet_id INTEGER NOT NULL,
  id TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  digest TEXT NOT NULL,
  PRIMARY KEY (client_id, packet_id)
) WITHOUT ROWID`;

type IncomingRow = [packetId: number, id: string, receivedAt: number, digest: string];

export function incomingProcedures({ db }: Thread) {
  db.exec(TABLE);
  return {
    "incoming.all": (clientId: string) =>
      db.rows<IncomingRow>("SELECT packet_id, id, received_at, digest FROM causeway_incoming WHERE client_id = ?", [
        clientId,
      ]),
    "incoming.write": (clientId: string, rows: IncomingRow[], removed: number[]) => {
      for (const row of rows)
        db.run("INSERT OR REPLACE INTO causeway_incoming VALUES (?, ?, ?, ?, ?)", [clientId, ...row]);
      for (const id of removed)
        db.run("DELETE FROM causeway_incoming WHERE client_id = ? AND packet_id = ?", [clientId, id]);
    },
  };
}

export function sqliteIncoming(database: Database, clientId: string): IncomingStore {
  return {
    async all() {
      const rows = await database.call<IncomingRow[]>("incoming.all", clientId);
      return new Map(rows.map(([packetId, id, receivedAt, digest]) => [packetId, { id, receivedAt, digest }]));
    },
    async write(entries, removed) {
      const rows = [...entries].map(
        ([packetId, { id, receivedAt, digest }]): IncomingRow => [packetId, id, receivedAt, digest],
      );
      await database.call("incoming.write", clientId, rows, [...removed]);
    },
  };
}
