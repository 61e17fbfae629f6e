/** Keeps the process alive where Aedes would end it because the store refuses a call, for example on a full disk. */
import type { EventEmitter } from "node:events";
import type { Aedes } from "aedes";
import { disconnect } from "./disconnect.ts";
import type { SqlitePersistence } from "./sqlite-persistence.ts";

/** Nothing is logged here: the store logs its outages. */
export function surviveOutages(aedes: Aedes, persistence: SqlitePersistence): void {
  // The interval that publishes the wills of a crash reports here, and reads them again the next time.
  (aedes as unknown as EventEmitter).on("error", () => {});

  // A CONNECT removes the will of the session's previous connection, and does not handle a refusal.
  const removeWill = persistence.delWill.bind(persistence);
  persistence.delWill = (client) =>
    removeWill(client).catch((error) => {
      disconnect(client, error);
      return undefined;
    });

  // The retained messages for a new subscription: it gets those read so far.
  const retained = persistence.createRetainedStreamCombi.bind(persistence);
  persistence.createRetainedStreamCombi = (filters) => retained(filters).on("error", () => {});
}
