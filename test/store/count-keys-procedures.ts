/** Procedure that counts the stored expiring keys, expired ones included. */
import type { ProcedureModule } from "../../src/bullmq-sqlite/index.ts";

const countKeysProcedures: ProcedureModule = ({ db }) => ({
  "test.countKeys": () => db.value("SELECT count(*) FROM causeway_expiring_key"),
});

export default countKeysProcedures;
