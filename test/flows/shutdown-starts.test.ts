/** SIGTERM at the start and during a call, and starts that an unusable configuration ends. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { temporaryDirectory } from "../support/directories.ts";
import { publishLoad } from "../support/load.ts";
import { freePort } from "../support/ports.ts";
import { startProcess } from "../support/processes.ts";
import { MAIN } from "../support/program.ts";
import { startReceiver } from "../support/receiver.ts";
import { mosquittoAndRedis } from "../support/setups.ts";
import { scaled } from "../support/speed.ts";

const withServers = mosquittoAndRedis("5");

describe("SIGTERM under load", () => {
  it("waits for a call in flight", withServers.options, async (t) => {
    const { bridge, brokerUrl, close } = await withServers.start();
    const receiver = await startReceiver();
    t.after(async () => {
      await close();
      await receiver.close();
    });
    receiver.delayMs = 2_000;
    await bridge.register({ url: receiver.url, topics: ["load/#"] });
    const load = publishLoad(brokerUrl, { count: 1, perSecond: 1 });
    t.after(() => load.close());
    await load.done;
    await receiver.untilCalled(1);
    const { exit } = await timed(() => bridge.stop());
    assert.equal(exit.code, 0);
    assert.equal(receiver.calls.length, 1, "it was answered before the process ended");
    receiver.delayMs = 0;
    await bridge.start();
    const after = publishLoad(brokerUrl, { count: 1, perSecond: 1 });
    t.after(() => after.close());
    await receiver.until((calls) => calls.length >= 2);
    assert.equal(
      new Set(receiver.calls.map(({ headers }) => headers["webhook-id"])).size,
      2,
      "it was not called again",
    );
  });
});

describe("SIGTERM at the start", withServers.options, () => {
  it("promptly ends a start that reports waiting for Redis", async () => {
    const port = await freePort();
    const bridge = start({ STORE_URL: `redis://127.0.0.1:${port}`, MQTT_URL: "mqtt://127.0.0.1:9" });
    await bridge.waitFor(/store_lost/);
    await bridge.waitFor(/"open":\["instance"\],"msg":"still_starting"/);
    const { exit, took } = await timed(() => bridge.stop("SIGTERM"));
    assert.deepEqual(exit, { code: 0, signal: null });
    assert.ok(took < scaled(3_000), `it took ${took} ms`);
    assert.doesNotMatch(bridge.output, /crashed|start_failed|cannot start/);
  });
});

describe("an unusable configuration", () => {
  it("ends with exit code 78 and lists all errors without the values", async () => {
    const bridge = start({
      PORT: "http",
      API_KEY: "tooshort",
      MQTT_URL: "amqp://broker",
      MQTT_PASSWORD: "very-secret",
      STORE_URL: "postgres://user:very-secret@db",
      WEBHOOK_ALLOW_NETWORKS: "10.0.0.0/40",
      MAX_PAYLOAD_BYTES: "-1",
    });
    const exit = await bridge.exited;
    assert.equal(exit.code, 78);
    const named = [...bridge.output.matchAll(/^ {2}([A-Z_]+): ./gm)].map(([, name]) => name);
    const wrong = ["PORT", "API_KEY", "MQTT_URL", "MQTT_USERNAME", "STORE_URL", "WEBHOOK_ALLOW_NETWORKS"];
    assert.deepEqual(named, [...wrong, "MAX_PAYLOAD_BYTES"]);
    assert.doesNotMatch(bridge.output, /very-secret|tooshort/);
  });

  it("ends with exit code 78 when the HTTP port is taken", async (t) => {
    const receiver = await startReceiver();
    t.after(() => receiver.close());
    const bridge = start({ PORT: new URL(receiver.url).port });
    const exit = await bridge.exited;
    assert.equal(exit.code, 78, bridge.output);
    assert.match(bridge.output, /EADDRINUSE/);
  });
});

function start(env: Record<string, string>) {
  const dataDir = temporaryDirectory("test");
  const settings = { PORT: "0", BROKER_PORT: "0", API_KEY: "test-key-0123456789abcdef", DATA_DIR: dataDir, ...env };
  return startProcess(process.execPath, [...MAIN], {
    env: settings,
    cwd: dataDir,
  });
}

async function timed<T>(act: () => Promise<T>): Promise<{ exit: T; took: number }> {
  const startedAt = performance.now();
  const exit = await act();
  return { exit, took: Math.round(performance.now() - startedAt) };
}
