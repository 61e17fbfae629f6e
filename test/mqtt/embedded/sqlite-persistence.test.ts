/** Aedes' own suite for persistences, on SQLite, and what it leaves out. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Engine } from "../../../src/bullmq-sqlite/index.ts";
import { BROKER_PROCEDURES, SqlitePersistence } from "../../../src/mqtt/embedded/sqlite-persistence.ts";
import { temporaryDirectory } from "../../support/directories.ts";

type Suite = (options: { test: typeof test; persistence(): Promise<SqlitePersistence>; testAsync: boolean }) => void;
const aedesSuite = createRequire(import.meta.url)("aedes-persistence/abstract") as Suite;

describe("persistence of the embedded broker on SQLite", () => {
  let engine: Engine;
  before(async () => {
    const file = join(temporaryDirectory("persistence"), "causeway.db");
    const modules = [BROKER_PROCEDURES, new URL("clear-procedures.ts", import.meta.url)];
    engine = await Engine.open({ file, modules, synchronous: "normal" });
  });
  after(() => engine.close());

  aedesSuite({
    test,
    async persistence() {
      await engine.call("test.clear");
      return new SqlitePersistence(engine);
    },
    testAsync: true,
  });
});
