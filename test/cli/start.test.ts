/** `causeway start` is the bridge: the same banner, signals and exit codes. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { temporaryDirectory } from "../support/directories.ts";
import { startProcess } from "../support/processes.ts";
import { CLI } from "../support/program.ts";
import { cliEnv } from "./support.ts";

function start(env: Record<string, string>) {
  const dataDir = temporaryDirectory("start");
  const settings = { ...cliEnv(), PORT: "0", BROKER_PORT: "0", DATA_DIR: dataDir, LOG_LEVEL: "info", ...env };
  return startProcess(process.execPath, [...CLI, "start"], { cwd: dataDir, env: settings });
}

describe("causeway start", () => {
  it("runs the bridge until SIGTERM, and ends with 0 after an orderly stop", async () => {
    const bridge = start({});
    await bridge.waitFor(/Causeway is up/, { timeoutMs: 30_000 });
    assert.deepEqual(await bridge.stop("SIGTERM"), { code: 0, signal: null });
    assert.match(bridge.output, /"msg":"stopped"/);
  });

  it("ends with 78 for an invalid configuration", async () => {
    const bridge = start({ LOG_LEVEL: "loud" });
    assert.equal((await bridge.exited).code, 78);
    assert.match(bridge.output, /LOG_LEVEL: must be one of/);
  });
});
