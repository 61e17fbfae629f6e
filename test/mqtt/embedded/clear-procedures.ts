/** Procedure that empties the broker's tables, so that the tests of a suite can share one engine. */
import type { ProcedureModule } from "../../../src/bullmq-sqlite/index.ts";

const TABLES = ["retained", "subscription", "outgoing", "incoming", "will"];

const clearProcedures: ProcedureModule = ({ db }) => ({
  "test.clear": () => {
    for (const table of TABLES) db.run(`DELETE FROM mqtt_${table}`);
  },
});

export default clearProcedures;
