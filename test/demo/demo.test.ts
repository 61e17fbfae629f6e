/** `npm run demo` does what it announces, ends by itself and leaves nothing behind. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { startProcess } from "../support/processes.ts";
import { programOf } from "../support/program.ts";

/** The built program is what `npm run demo` starts; it starts several times faster than the sources. */
const DEMO = programOf("demo/demo");
const WAIT = { timeoutMs: 60_000 };

function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "causeway-test-demo-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function startDemo(args: string[], env: Record<string, string> = {}, nodeOptions: string[] = []) {
  return startProcess(process.execPath, [...nodeOptions, ...DEMO, ...args], { env });
}

describe("the demo", () => {
  it("sends one message each way, whatever settings the user has", async (t) => {
    const TMPDIR = temporaryDirectory(t);
    // Unreachable broker and store and an invalid value: the demo ignores all of them.
    const own = { MQTT_URL: "mqtt://127.0.0.1:9", STORE_URL: "redis://127.0.0.1:9", MAX_PAYLOAD_BYTES: "none" };
    const demo = startDemo(["--fast"], { TMPDIR, ...own });
    const { code } = await demo.exited;
    assert.equal(code, 0, demo.output);
    const lines = [
      /^bridge \| is up: API at http:\/\/127\.0\.0\.1:\d+, MQTT broker at mqtt:\/\/127\.0\.0\.1:\d+$/m,
      /^pi +\| publishes \{"temperature":21\.5\} on devices\/pi-7\/telemetry, QoS 1; PUBACK came$/m,
      /^cloud +\| the signature is right; subject devices\/pi-7\/telemetry, data \{"temperature":21\.5\}$/m,
      /^bridge \| answers "outcome":"acknowledged"/m,
      /^pi +\| received \{"led":"on"\} on devices\/pi-7\/commands$/m,
      /^Done: /m,
    ];
    let rest = demo.output;
    for (const line of lines) {
      const found = line.exec(rest);
      assert.ok(found, `${line} does not follow in:\n${demo.output}`);
      rest = rest.slice(found.index);
    }
    assert.deepEqual(leftIn(TMPDIR), []);
  });

  it("cleans up when it is interrupted", async (t) => {
    const TMPDIR = temporaryDirectory(t);
    const demo = startDemo([], { TMPDIR });
    await demo.waitFor(/^bridge \| is up/m, WAIT);
    assert.equal(leftIn(TMPDIR).length, 1);
    const { code } = await demo.stop("SIGINT", 30_000);
    assert.equal(code, 130, demo.output);
    assert.deepEqual(leftIn(TMPDIR), []);
  });

  it("reports the failure and exits with 1", async (t) => {
    const TMPDIR = temporaryDirectory(t);
    // The demo passes its own Node options to the bridge, which exits at once here.
    const brokenBridge = "data:text/javascript,if (process.argv[1].match(/main.[jt]s$/)) process.exit(3)";
    const demo = startDemo(["--fast"], { TMPDIR }, ["--import", brokenBridge]);
    const { code } = await demo.exited;
    assert.equal(code, 1, demo.output);
    assert.match(demo.output, /^The demo failed: the bridge ended with 3/m);
    assert.deepEqual(leftIn(TMPDIR), []);
  });

  it("prints its usage", async () => {
    const help = startDemo(["--help"]);
    assert.equal((await help.exited).code, 0);
    assert.match(help.output, /--fast/);
    const wrong = startDemo(["--slow"]);
    assert.equal((await wrong.exited).code, 1);
    assert.match(wrong.output, /Unknown option '--slow'/);
  });
});

/** Files left by the demo; Node and tsx keep caches of their own. */
function leftIn(directory: string): string[] {
  return readdirSync(directory).filter((name) => name.startsWith("causeway-demo-"));
}
