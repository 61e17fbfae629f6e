import type { IncomingStore } from "../store.ts";
import type { Database } from "./database.ts";

export const INCOMING_TABLE = `
CREATE TABLE IF NOT EXISTS causeway.incoming (
  lane text COLLATE "C",
  packet_id integer,
  id text NOT NULL,
  received_at bigint NOT NULL,
  digest text NOT NULL,
  PRIMARY KEY (lane, packet_id)
)`;

const WRITE = `
WITH removed AS (DELETE FROM causeway.incoming
  WHERE lane = $1 AND packet_id IN (SELECT value::integer FROM jsonb_array_elements_text($3::jsonb)))
INSERT INTO causeway.incoming AS i
  SELECT $1, e.packet_id, e.id, e.received_at, e.digest
  FROM jsonb_to_recordset($2::jsonb) AS e (packet_id integer, id text, received_at bigint, digest text)
ON CONFLICT (lane, packet_id) DO UPDATE
  SET id = excluded.id, received_at = excluded.received_at, digest = excluded.digest`;

interface IncomingRow {
  packet_id: number;
  id: string;
  received_at: string;
  digest: string;
}

export function embeddedIncoming(database: Database, clientId: string): IncomingStore {
  return {
    async all() {
      const { rows } = await database.query<IncomingRow>(
        "SELECT packet_id, id, received_at, digest FROM causeway.incoming WHERE lane = $1",
        [clientId],
      );
      return new Map(
        rows.map(({ packet_id, id, received_at, digest }) => [
          packet_id,
          { id, receivedAt: Number(received_at), digest },
        ]),
      );
    },
    async write(entries, removed) {
      const rows = [...entries].map(([packet_id, { id, receivedAt, digest }]) => ({
        packet_id,
        id,
        received_at: receivedAt,
        digest,
      }));
      await database.query(WRITE, [clientId, JSON.stringify(rows), JSON.stringify(removed)]);
    },
  };
}
