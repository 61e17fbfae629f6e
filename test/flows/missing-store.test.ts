/** A data directory without its database: the bridge does not begin an empty one on its own. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { startTestBridge } from "../support/bridge.ts";
import { startProcess } from "../support/processes.ts";
import { MAIN } from "../support/program.ts";

describe("the embedded store", () => {
  it("is refused if its database is missing while the rest of DATA_DIR exists", async () => {
    const bridge = await startTestBridge();
    await bridge.stop();
    rmSync(join(bridge.dataDir, "causeway.db"));
    const refused = startOn(bridge.dataDir);
    assert.deepEqual(await refused.exited, { code: 78, signal: null });
    assert.match(refused.output, /^Causeway cannot start: The store \S+ has no identity, .*STORE_RESET=accept\.$/m);
    assert.doesNotMatch(refused.output, /\n\s+at /);
    const accepting = await startTestBridge({ DATA_DIR: bridge.dataDir, STORE_RESET: "accept" });
    await accepting.stop();
  });
});

function startOn(dataDir: string) {
  return startProcess(process.execPath, [...MAIN], {
    env: { PORT: "0", BROKER_PORT: "0", LOG_LEVEL: "warn", API_KEY: "", DATA_DIR: dataDir },
    cwd: dataDir,
  });
}
