/** `causeway doctor`: finds what is wrong, and says what to do. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { memory } from "../../src/cli/doctor/store-check.ts";
import { checkClock } from "../../src/client/doctor/bridge-checks.ts";
import type { Finding } from "../../src/client/doctor/finding.ts";
import { temporaryDirectory } from "../support/directories.ts";
import { eventually } from "../support/eventually.ts";
import { startMosquitto } from "../support/mosquitto.ts";
import { freePort } from "../support/ports.ts";
import { startRedis } from "../support/redis.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { embedded, mosquittoAndRedis, scenario, startScenario } from "../support/scenario.ts";
import { API_KEY, cliEnv, runCli } from "./support.ts";

type Environment = Record<string, string | undefined>;

async function examine(env: Environment, ...args: string[]) {
  const { code, stdout, stderr } = await runCli(["doctor", "--json", ...args], { env });
  assert.equal(stderr, "");
  const { ok, findings } = JSON.parse(stdout) as { ok: boolean; findings: Finding[] };
  assert.equal(code, ok ? 0 : 1);
  for (const { status, check, advice } of findings) {
    assert.equal(advice !== undefined, status === "warning" || status === "failed", `${check}: ${advice}`);
  }
  return {
    code,
    failed: findings.filter(({ status }) => status === "failed"),
    of: (check: string) => findings.filter((each) => each.check === check),
    detail: (check: string) => findings.find((each) => each.check === check)?.detail ?? "",
  };
}

describe("doctor with the embedded broker and store", () => {
  const world = scenario(embedded);
  const local = (): Environment => ({
    ...cliEnv(world.bridge),
    DATA_DIR: world.bridge.dataDir,
    PORT: new URL(world.bridge.url).port,
    BROKER_PORT: String(world.bridge.brokerPort),
  });

  it("finds nothing wrong, and tries the broker", async () => {
    const found = await examine(local(), "--topic", "doctor/probe");
    assert.deepEqual(found.failed, []);
    for (const check of [
      "bridge",
      "bridge store",
      "key",
      "version",
      "ledgers",
      "webhooks",
      "hooks",
      "clock",
      "configuration",
      "disk",
    ]) {
      assert.equal(found.of(check)[0]?.status, "ok", check);
    }
    assert.match(found.detail("MQTT session"), /kept/);
    assert.match(found.detail("MQTT subscribe"), /^doctor\/probe is granted with QoS [12]$/);
    assert.equal(found.of("MQTT retained")[0]?.status, "ok");
  });

  it("needs no rights but view, and says what a key may not see", async () => {
    const input = { name: "viewer", scopes: ["view"], read: ["none/#"] };
    const { body } = await world.bridge.api("POST", "/v1/keys", input);
    const found = await examine({ ...local(), CAUSEWAY_API_KEY: body.key }, "--topic", "doctor/probe");
    assert.deepEqual(found.failed, []);
    assert.equal(found.detail("broker"), "connected, MQTT 3.1.1");
    assert.deepEqual(found.of("ledgers"), [
      { check: "ledgers", status: "skipped", detail: "the key lacks the scope admin" },
    ]);
    assert.equal(found.of("webhooks")[0]?.status, "ok");
    assert.equal(found.of("hooks")[0]?.status, "skipped");
  });

  it("names hooks whose key has gone", async () => {
    const { api } = world.bridge;
    const { body } = await api("POST", "/v1/keys", { name: "sender", scopes: ["publish"], publish: ["#"] });
    const headers = { authorization: `Bearer ${body.key}` };
    const hook = await api("POST", "/v1/hooks", { name: "bell", topic: "bell" }, headers);
    await api("DELETE", `/v1/keys/${body.id}`);
    const found = await examine(local());
    assert.match(found.detail("hook bell"), /which created the hook, was withdrawn/);
    assert.match(found.of("hook bell")[0]!.advice!, new RegExp(hook.body.id));
    await api("DELETE", `/v1/hooks/${hook.body.id}`);
  });

  it("leaves no retained message and no session behind", async () => {
    await examine(local(), "--topic", "doctor/probe");
    const { body } = await world.bridge.api("GET", "/v1/topics?filter=%23");
    assert.deepEqual(body.items, []);
  });

  it("does not replace the retained message of the topic it tries", async () => {
    await world.device.publishAsync("doctor/config", "precious", { qos: 1, retain: true });
    await examine(local(), "--topic", "doctor/config");
    const { bytes } = await world.bridge.api("GET", "/v1/topics/doctor/config");
    assert.equal(bytes.toString(), "precious");
    await world.device.publishAsync("doctor/config", "", { qos: 1, retain: true });
  });

  it("prints tab-separated lines for programs", async () => {
    const { stdout } = await runCli(["doctor"], { env: local() });
    for (const line of stdout.split("\n").slice(0, -1))
      assert.match(line, /^(ok|warning|skipped)\t[^\t]+\t[^\t]+\t[^\t]*$/);
  });

  it("names webhooks that fail, and why; a paused one is a warning", async () => {
    world.receiver.answer = () => 410;
    const gone = await world.bridge.register({ url: world.receiver.url, topics: ["gone"], name: "gone" });
    const closed = `http://127.0.0.1:${await freePort()}/`;
    const retry = { scheduleSeconds: [] };
    await world.bridge.register({ url: closed, topics: ["closed"], name: "closed", retry });
    await world.bridge.register({ url: closed, topics: ["paused"], name: "paused", enabled: false });
    for (const topic of ["gone", "closed", "paused"]) await world.device.publishAsync(topic, "x", { qos: 1 });
    const found = await eventually(
      () => examine(local()),
      ({ of }) => of("webhook gone").length > 0 && of("webhook closed").length > 0,
    );
    assert.equal(found.of("webhook gone")[0]!.advice, `Mend the receiver, then: causeway webhooks resume ${gone.id}`);
    assert.match(found.detail("webhook closed"), /given up: 1, the last one with connection_refused/);
    assert.equal(found.of("webhook paused")[0]!.status, "warning");
    assert.deepEqual(
      found.failed.map(({ check }) => check),
      ["webhook gone"],
    );
  });

  it("gives the bridge's verdict on a URL, and that of the configuration without a key", async () => {
    const blocked = await examine(local(), "--url", "http://169.254.169.254/latest");
    assert.match(blocked.detail("webhook URL"), /169\.254\.169\.254 is not allowed \(link-local/);
    const allowed = await examine(local(), "--url", "http://127.0.0.1:9000/");
    assert.equal(allowed.detail("webhook URL"), "127.0.0.1 is allowed by the bridge");
    const invalid = await examine(local(), "--url", "ftp://example.com");
    assert.equal(invalid.of("webhook URL")[0]?.status, "failed");
    const here = await examine({ ...local(), CAUSEWAY_API_KEY: "a-wrong-key-0123456789" }, "--url", "http://10.0.0.1/");
    assert.match(here.detail("webhook URL"), /not allowed \(private .*the configuration here/);
    assert.match(here.detail("key"), /^unauthorized: /);
  });

  it("reports a missing key and an invalid configuration", async () => {
    const env = {
      ...local(),
      CAUSEWAY_API_KEY: undefined,
      DATA_DIR: "/nonexistent/data",
      LOG_LEVEL: "loud",
      PORT: "x",
    };
    const found = await examine(env);
    assert.deepEqual(
      found.failed.map(({ check, detail }) => [check, detail.split(":")[0]]),
      [
        ["key", "no API key was found"],
        ["configuration", "PORT"],
        ["configuration", "LOG_LEVEL"],
      ],
    );
  });

  it("says nothing about the ports of a bridge that is not the configured one", async () => {
    const found = await examine({ ...local(), PORT: "1" });
    assert.deepEqual([found.of("ports")[0]?.status, found.of("HTTP port"), found.of("MQTT port")], ["skipped", [], []]);
  });

  it("reports that the embedded broker is on another port than the configured one", async () => {
    const found = await examine({ ...local(), BROKER_PORT: "1" });
    assert.match(found.detail("MQTT port"), /^1 is taken by another program, so the embedded broker listens on \d+$/);
  });
});

describe("doctor without a bridge", () => {
  it("says so, and looks at the ports", async () => {
    const server = createServer((_request, response) => response.end("hello")).listen(0, "127.0.0.1");
    await once(server, "listening");
    const taken = String((server.address() as AddressInfo).port);
    const free = String(await freePort());
    const env = { ...cliEnv(), PORT: taken, BROKER_PORT: free, CAUSEWAY_API_KEY: API_KEY };
    const other = await examine(env);
    assert.match(other.detail("bridge"), /answers 200, and not as a bridge does/);
    assert.match(other.detail("HTTP port"), /is taken by another program/);
    assert.equal(other.detail("MQTT port"), `127.0.0.1:${free} is free`);
    server.close();
    await once(server, "close");
    const none = await examine({ ...env, PORT: free, BROKER_PORT: "0" });
    assert.match(none.detail("bridge"), /cannot be reached: .*ECONNREFUSED/);
    assert.deepEqual(
      none.failed.map(({ check }) => check),
      ["bridge"],
    );
  });

  it("leaves the machine alone when the bridge is elsewhere", async () => {
    const env = { ...cliEnv(), CAUSEWAY_URL: "http://bridge.invalid", MQTT_URL: "not a URL" };
    const found = await examine(env);
    assert.deepEqual(
      found.failed.map(({ check }) => check),
      ["bridge"],
    );
    assert.equal(found.of("configuration")[0]?.status, "skipped");
  });
});

describe("doctor with Mosquitto and Redis", mosquittoAndRedis("5").options, () => {
  const world = scenario(mosquittoAndRedis("5"));
  const local = (): Environment => ({
    ...cliEnv(world.bridge),
    DATA_DIR: world.bridge.dataDir,
    PORT: new URL(world.bridge.url).port,
    MQTT_URL: world.mosquitto!.url,
    STORE_URL: world.redis!.url,
  });

  it("tries both", async () => {
    const found = await examine(local());
    assert.deepEqual(found.failed, []);
    assert.match(found.detail("MQTT connection"), /, MQTT 5$/);
    assert.match(found.detail("MQTT subscribe"), /granted with QoS 2$/);
    assert.match(found.detail("Redis"), /noeviction/);
    assert.match(found.detail("Redis memory"), /MiB used/);
  });

  it("reports both when they are away", async () => {
    const port = await freePort();
    const found = await examine({
      ...local(),
      MQTT_URL: `mqtt://127.0.0.1:${port}`,
      STORE_URL: `redis://127.0.0.1:${port}`,
    });
    assert.deepEqual(found.failed.map(({ check }) => check).sort(), ["MQTT connection", "Redis"]);
    for (const check of ["MQTT connection", "Redis"]) assert.match(found.detail(check), /ECONNREFUSED/);
  });
});

describe("doctor and a broker with access rules", requireOrSkip("mosquitto"), () => {
  it("tells a refused topic from an allowed one", async (t) => {
    const acl = join(temporaryDirectory("acl"), "acl");
    writeFileSync(acl, "topic readwrite allowed/#\ntopic read readonly/#\n", { mode: 0o644 });
    const mosquitto = await startMosquitto({ extraConfig: `acl_file ${acl}` });
    t.after(() => mosquitto.stop());
    const env = { ...cliEnv(), MQTT_URL: mosquitto.url, PORT: String(await freePort()) };
    const unnamed = await examine(env);
    assert.equal(unnamed.of("MQTT publish")[0]?.status, "warning");
    const allowed = await examine(env, "--topic", "allowed/a");
    assert.equal(allowed.of("MQTT publish")[0]?.status, "ok");
    const readonly = await examine(env, "--topic", "readonly/a");
    assert.deepEqual(
      readonly.failed.map(({ check }) => check),
      ["bridge", "MQTT publish"],
    );
  });
});

describe("doctor and a Redis that loses data", requireOrSkip("redis-server"), () => {
  it("refuses eviction, and warns of missing persistence", async (t) => {
    const [evicting, volatile] = await Promise.all([
      startRedis({ args: ["--maxmemory-policy", "allkeys-lru"] }),
      startRedis({ args: ["--appendonly", "no"] }),
    ]);
    t.after(() => Promise.all([evicting.stop(), volatile.stop()]));
    const env = { ...cliEnv(), PORT: String(await freePort()), BROKER_PORT: "0" };
    const refused = await examine({ ...env, STORE_URL: evicting.url });
    assert.match(refused.detail("Redis"), /maxmemory-policy "allkeys-lru"/);
    assert.deepEqual(
      refused.failed.map(({ check }) => check),
      ["bridge", "Redis"],
    );
    const warned = await examine({ ...env, STORE_URL: volatile.url });
    assert.match(warned.of("Redis").at(-1)!.detail, /keeps nothing on disk/);
  });
});

describe("the clock", () => {
  const now = Date.parse("2026-03-01T12:00:00.000Z");
  const cases: [date: string | null, status: string, why: string][] = [
    ["Sun, 01 Mar 2026 12:00:00 GMT", "ok", "the same second"],
    ["Sun, 01 Mar 2026 11:59:59 GMT", "ok", "Date has whole seconds"],
    ["Sun, 01 Mar 2026 12:00:04 GMT", "ok", "4 s ahead"],
    ["Sun, 01 Mar 2026 12:00:07 GMT", "warning", "7 s ahead"],
    ["Sun, 01 Mar 2026 11:59:50 GMT", "warning", "10 s behind"],
    ["Sun, 01 Mar 2026 12:06:00 GMT", "failed", "more than five minutes"],
    [null, "skipped", "no header"],
  ];
  for (const [date, status, why] of cases) {
    it(`${why}: ${status}`, () => assert.equal(checkClock(date, now, now + 20).status, status));
  }

  it("a slow response is no difference", () => {
    assert.equal(checkClock("Sun, 01 Mar 2026 12:00:08 GMT", now, now + 9_000).status, "ok");
  });
});

describe("the memory of Redis", () => {
  const cases: [info: string, status: string, detail: string][] = [
    ["used_memory:1048576\r\nmaxmemory:0\r\n", "ok", "1 MiB used, without a limit"],
    ["used_memory:1048576\r\nmaxmemory:10485760\r\n", "ok", "1 MiB of 10 MiB used"],
    ["used_memory:9437184\r\nmaxmemory:10485760\r\n", "warning", "9 MiB of 10 MiB used"],
  ];
  for (const [info, status, detail] of cases) {
    it(`${detail}: ${status}`, () => {
      const found = memory(info);
      assert.deepEqual([found.status, found.detail], [status, detail]);
    });
  }
});

it("doctor names the documents of CONFIG_DIR that the bridge refused", async (t) => {
  const folder = temporaryDirectory("configuration");
  writeFileSync(
    join(folder, "webhooks.yaml"),
    "kind: Webhook\nexternalId: good\nurl: http://127.0.0.1:9/\ntopics: [a]\n---\n" +
      "kind: Webhook\nexternalId: private\nurl: http://10.0.0.1/\ntopics: [a]\n",
  );
  const { bridge } = await startScenario(t, embedded, { env: { CONFIG_DIR: folder }, device: false });
  await bridge.waitForOutput(/"configuration_(?:applied|refused)"/);
  const found = await examine(cliEnv(bridge));
  assert.equal(found.detail("configuration folder"), `${folder}: documents applied: 1 of 2`);
  assert.match(found.of("configuration folder")[1]!.detail, /^Webhook private: blocked_address: /);
});
