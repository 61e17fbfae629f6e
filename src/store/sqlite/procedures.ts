/** The store's procedures, loaded in the engine's thread after those of the queues. */
import type { ProcedureModule, Thread } from "../../bullmq-sqlite/index.ts";
import { counterProcedures } from "./counters.ts";
import { deliveryIndexProcedures } from "./delivery-index.ts";
import { expiringKeyProcedures } from "./expiring-keys.ts";
import { incomingProcedures } from "./incoming.ts";
import { integrityProcedures } from "./integrity.ts";
import { ledgerProcedures } from "./ledgers.ts";
import { recordProcedures } from "./records.ts";
import { seriesProcedures } from "./series.ts";

const storeProcedures = (thread: Thread) => ({
  ...integrityProcedures(thread),
  ...recordProcedures(thread),
  ...expiringKeyProcedures(thread),
  ...counterProcedures(thread),
  ...incomingProcedures(thread),
  ...ledgerProcedures(thread),
  ...deliveryIndexProcedures(thread),
  ...seriesProcedures(thread),
});

export default storeProcedures satisfies ProcedureModule;
