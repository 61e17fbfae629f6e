/** A start with unusable data ends with exit code 78 and one sentence about the remedy, without a stack trace. */

import assert from "node:assert/strict";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { startTestBridge } from "../support/bridge.ts";
import { temporaryDirectory } from "../support/directories.ts";
import { startProcess } from "../support/processes.ts";
import { MAIN } from "../support/program.ts";

async function refused(dataDir: string, pattern: RegExp, env: Record<string, string> = {}): Promise<void> {
  const process_ = startProcess(process.execPath, [...MAIN], {
    env: { PORT: "0", BROKER_PORT: "0", LOG_LEVEL: "warn", API_KEY: "", DATA_DIR: dataDir, ...env },
    cwd: temporaryDirectory("refused"),
  });
  assert.deepEqual(await process_.exited, { code: 78, signal: null }, process_.output);
  assert.match(process_.output, pattern);
  assert.doesNotMatch(process_.output, /\n\s+at |start_failed/);
}

describe("a start is refused", () => {
  it("with a DATA_DIR that is a file, lies below a file, or cannot be created", async () => {
    const file = join(temporaryDirectory("refused"), "file");
    writeFileSync(file, "");
    const pattern =
      /^Causeway cannot start: DATA_DIR \S+ cannot be used: .*a directory that this process may read and write/m;
    await refused(file, pattern);
    await refused(join(file, "below"), pattern);
    await refused("/proc/causeway", pattern);
    // DATA_DIR is not needed with these settings, but a file in its place is a mistake all the same.
    await refused(file, pattern, {
      API_KEY: "k".repeat(16),
      STORE_URL: "redis://127.0.0.1:1",
      MQTT_URL: "mqtt://127.0.0.1:1",
    });
  });

  it("with a damaged file of the embedded store and broker, or a damaged format file", async () => {
    const bridge = await startTestBridge();
    await bridge.stop();
    const { dataDir } = bridge;
    writeFileSync(join(dataDir, "causeway.db"), "not a database\n".repeat(1_000));
    const pattern = /^Causeway cannot start: The embedded store in \S+ cannot be opened \(.*\): .*Restore DATA_DIR/ms;
    await refused(dataDir, pattern);
    rmSync(join(dataDir, "api-key"), { force: true });
    writeFileSync(join(dataDir, "store-id"), "garbage");
    writeFileSync(join(dataDir, "format"), "garbage");
    await refused(dataDir, /^Causeway cannot start: \S+format does not contain a valid format number/m);
  });

  it("with a CONFIG_DIR that is missing, or documents that cannot be read", async () => {
    const folder = temporaryDirectory("refused");
    const file = join(folder, "a.yaml");
    const start = (pattern: RegExp) =>
      refused(temporaryDirectory("refused"), pattern, { CONFIG_DIR: folder, PASSWORD: "p4ssw0rd" });
    const rows: [text: string, error: string][] = [
      ["kind: [", "document 1: .*"],
      ["kind: Hose\nname: a", "document 1: kind must be Webhook, Hook or Key"],
      ["kind: Webhook\nurl: http://x", "document 1: externalId or id is required"],
      [
        `kind: Key\nname: a\n---\nkind: Webhook\nexternalId: b\nheaders: {X: "\${env:NONE}"}`,
        "document 2: headers.X: .* NONE is not set",
      ],
    ];
    for (const [text, error] of rows) {
      writeFileSync(file, text);
      await start(new RegExp(`^  CONFIG_DIR: ${file}, ${error}$`, "m"));
    }
    rmSync(folder, { recursive: true });
    await start(new RegExp(`^  CONFIG_DIR: ${folder} cannot be read \\(ENOENT\\)$`, "m"));
  });

  it("with a secret file that cannot be read; a readable one is used and never printed", async (t) => {
    const dataDir = temporaryDirectory("refused");
    const file = join(dataDir, "secret");
    await refused(dataDir, new RegExp(`^  API_KEY_FILE: the file ${file} cannot be read \\(ENOENT\\)$`, "m"), {
      API_KEY_FILE: file,
    });
    const key = "a-key-from-a-file-0123456789";
    writeFileSync(file, `${key}\n`);
    const bridge = await startTestBridge({ DATA_DIR: dataDir, API_KEY: "", API_KEY_FILE: file, LOG_LEVEL: "trace" });
    t.after(() => bridge.kill());
    const { status } = await bridge.api("GET", "/v1/status", undefined, { authorization: `Bearer ${key}` });
    assert.equal(status, 200);
    assert.equal((await bridge.api("GET", "/v1/status")).status, 401);
    await bridge.stop();
    assert.match(bridge.output, new RegExp(`as given in ${file}`));
    assert.ok(!bridge.output.includes(key));
    assert.ok(!existsSync(join(dataDir, "api-key")), "no key was generated");
  });
});
