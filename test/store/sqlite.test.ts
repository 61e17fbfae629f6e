import { join } from "node:path";
import { openSqliteStore } from "../../src/store/sqlite/open.ts";
import { storeContract } from "../contracts/store.contract.ts";
import { temporaryDirectory } from "../support/directories.ts";

const log = { info() {}, warn() {}, error() {} };

storeContract("SQLite", async () => {
  const store = await openSqliteStore({ dataDir: join(temporaryDirectory("sqlite"), "made", "here"), log });
  return { store, cleanup: () => store.close() };
});
