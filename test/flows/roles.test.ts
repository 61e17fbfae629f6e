/** The roles in three processes on one Redis and one Mosquitto: api, uplink and delivery. See also webhook-changes. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import type { MqttClient } from "mqtt";
import { startTestBridge, type TestBridge } from "../support/bridge.ts";
import { temporaryDirectory } from "../support/directories.ts";
import { eventually } from "../support/eventually.ts";
import { connectTo } from "../support/in-process.ts";
import { laneOf } from "../support/instances.ts";
import { type Mosquitto, startMosquitto } from "../support/mosquitto.ts";
import { startProcess } from "../support/processes.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { requireOrSkip } from "../support/requirements.ts";

const ROLES = ["api", "uplink", "delivery"] as const;

describe("roles in three processes", { concurrency: false, ...requireOrSkip("mosquitto", "redis-server") }, () => {
  let mosquitto: Mosquitto;
  let redis: TestRedis;
  let receiver: Receiver;
  let device: MqttClient;
  let api: TestBridge;
  let uplink: TestBridge;
  let delivery: TestBridge;

  before(async () => {
    [mosquitto, redis, receiver] = [await startMosquitto(), await startRedis(), await startReceiver()];
    const settings = { MQTT_URL: mosquitto.url, STORE_URL: redis.url };
    const all = ROLES.map((role) =>
      // The delivery role needs no broker.
      startTestBridge({ ...settings, ROLES: role, ...(role === "delivery" && { MQTT_URL: undefined }) }),
    );
    [api, uplink, delivery] = (await Promise.all(all)) as [TestBridge, TestBridge, TestBridge];
    device = await connectTo(mosquitto.url, 5);
  });
  after(async () => {
    await device?.endAsync(true);
    const stopped = await Promise.all([api, uplink, delivery].map((bridge) => bridge?.stop()));
    await receiver?.close();
    await mosquitto?.stop();
    await redis?.stop();
    for (const exit of stopped) assert.deepEqual(exit, { code: 0, signal: null });
  });

  const payloadsAt = (path: string) => () =>
    receiver.calls.filter((call) => call.path === path).map(({ body }) => JSON.parse(body.toString()).data);
  /** Registers a webhook with its own path. */
  async function register(path: string, fields: Record<string, unknown> = {}): Promise<string> {
    const { status, body } = await api.api("POST", "/v1/webhooks", { url: receiver.url + path, ...fields });
    assert.equal(status, 201, JSON.stringify(body));
    return body.id;
  }
  const call = async (method: string, path: string, body?: unknown) => {
    const answer = await api.api(method, path, body);
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.bytes}`);
    return answer.body;
  };

  it("check the parts that they need, and report their role", async () => {
    const checks = { api: ["broker", "store", "consumption"], uplink: ["broker", "uplink", "store"] };
    for (const [bridge, role] of [api, uplink, delivery].map((bridge, i) => [bridge, ROLES[i]!] as const)) {
      const ready = (await bridge.readiness(200)).body;
      assert.deepEqual(Object.keys(ready.checks), role === "delivery" ? ["store", "consumption"] : checks[role]);
      assert.equal((await bridge.api("GET", "/healthz")).status, 200);
      assert.match((await bridge.api("GET", "/metrics")).bytes.toString(), /causeway_up\{part="store"\} 1/);
      const status = (await bridge.api("GET", "/v1/status")).body;
      assert.deepEqual(status.roles, [role]);
      assert.equal(status.broker?.connected, role === "delivery" ? undefined : true);
      assert.deepEqual([status.lanes[0].here, status.lanes[0].sessions.length > 0], Array(2).fill(role === "uplink"));
    }
    const { instance } = (await uplink.api("GET", "/v1/status")).body;
    for (const bridge of [api, delivery]) {
      await eventually(
        () => laneOf(bridge),
        ({ holder }) => holder === instance,
      );
    }
  });

  it("serve the API only with the role api, and say so otherwise", async () => {
    for (const bridge of [uplink, delivery]) {
      for (const [method, path] of [
        ["GET", "/v1/webhooks"],
        ["POST", "/v1/messages"],
        ["GET", "/v1/stream?topic=x"],
        ["GET", "/docs"],
      ] as const) {
        const { status, body } = await bridge.api(method, path, method === "POST" ? { topic: "x" } : undefined);
        assert.equal(status, 404, path);
        assert.equal(body.code, "not_found");
        assert.match(body.detail, /ROLES=(uplink|delivery); the API is served by those with api/);
      }
      const headers = { authorization: "Bearer wrong" };
      for (const path of ["/v1/webhooks", "/v1/status"]) {
        assert.equal((await bridge.api("GET", path, undefined, headers)).status, 401);
      }
    }
    assert.equal((await api.api("GET", "/docs")).status, 200);
  });

  it("run pause, counts, resume, test, preview, retry and replay through the api process alone", async () => {
    const path = "/control";
    const received = payloadsAt(path);
    const id = await register(path, { topics: ["control"], filter: "data > 0", retry: { scheduleSeconds: [] } });
    const counts = async () => (await call("GET", `/v1/webhooks/${id}`)).counts;
    await call("POST", `/v1/webhooks/${id}/pause`);
    for (const payload of ["1", "-1"]) await device.publishAsync("control", payload, { qos: 1 });
    await eventually(counts, ({ pending }) => pending === 2);
    await call("POST", `/v1/webhooks/${id}/resume`);
    await eventually(counts, ({ succeeded }) => succeeded === 2);
    assert.deepEqual(received(), [1], "the other one is filtered");

    const { messageId } = await call("POST", `/v1/webhooks/${id}/test`);
    await receiver.until((calls) => calls.some(({ headers }) => headers["webhook-id"] === messageId));
    const preview = await call("POST", "/v1/webhooks/preview", {
      webhook: { url: receiver.url, topics: ["control"], transform: '{"n": data}' },
      message: { topic: "control", payload: 7 },
    });
    assert.match(JSON.stringify(preview), /\\"n\\":7/);

    receiver.answer = (one) => (one.path === path ? 400 : 204);
    await device.publishAsync("control", "2", { qos: 1 });
    await eventually(counts, ({ failed }) => failed === 1);
    receiver.answer = () => 204;
    const [failed] = (await call("GET", `/v1/webhooks/${id}/deliveries?status=failed`)).items;
    await call("POST", `/v1/webhooks/${id}/deliveries/${failed.messageId}/retry`);
    await receiver.until(() => received().includes(2));
    const replay = await call("POST", `/v1/webhooks/${id}/replay`, { status: "succeeded" });
    await eventually(
      () => call("GET", `/v1/webhooks/${id}/replays/${replay.id}`),
      ({ state }) => state === "finished",
    );
    await receiver.until(() => received().filter((data) => data === 2).length === 2);
  });

  it("handle retained messages, replies and responses to stored requests", async () => {
    await device.publishAsync("kept", "31", { qos: 1, retain: true });
    await register("/kept", { topics: ["kept"], retained: "deliver" });
    await receiver.until(() => payloadsAt("/kept")().includes(31));

    const heard: string[] = [];
    device.on("message", (topic, payload, { properties }) => {
      heard.push(`${topic} ${payload}`);
      if (topic === "ask") device.publish(properties!.responseTopic!, "42", { qos: 1, properties });
    });
    await device.subscribeAsync(["replied", "ask"], { qos: 1 });
    receiver.answer = (one) => (one.path === "/reply" ? { status: 200, body: "well" } : 204);
    await register("/reply", { topics: ["reply"], replyTopic: "replied" });
    await device.publishAsync("reply", "1", { qos: 1 });
    await eventually(
      () => heard,
      (lines) => lines.includes("replied well"),
    );

    const asked = await api.api("POST", "/v1/requests", { topic: "ask", payload: "?" }, { prefer: "respond-async" });
    assert.equal(asked.status, 202, `${asked.bytes}`);
    const { response } = await eventually(
      () => call("GET", `/v1/requests/${asked.body.id}`),
      ({ outcome }) => outcome === "responded",
    );
    assert.equal(response.payload, 42);
    assert.equal((await call("POST", "/v1/requests", { topic: "ask", payload: "?" })).response.payload, 42);
  });

  it("keep messages waiting while the delivery or uplink process is away", async () => {
    const path = "/waits";
    const received = payloadsAt(path);
    const id = await register(path, { topics: ["waits"] });
    await delivery.kill();
    await device.publishAsync("waits", "1", { qos: 1 });
    await eventually(
      () => call("GET", `/v1/webhooks/${id}`),
      ({ counts }) => counts.pending === 1,
    );
    await uplink.stop();
    assert.equal((await api.api("GET", "/readyz")).status, 200, "the API does what it can");
    await device.publishAsync("waits", "2", { qos: 1 });
    await Promise.all([uplink.start(), delivery.start()]);
    await receiver.until(() => received().length === 2);
    assert.deepEqual(received().sort(), [1, 2]);
  });
});

describe("roles without the settings that they need", () => {
  for (const [env, wanted] of [
    [{ ROLES: "api,uplink" }, /ROLES: .*STORE_URL/],
    [{ ROLES: "uplink", STORE_URL: "redis://127.0.0.1:9" }, /ROLES: .*MQTT_URL/],
  ] as const) {
    it(`end with exit code 78: ${JSON.stringify(env)}`, async () => {
      const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
      const started = startProcess(process.execPath, ["--import", import.meta.resolve("tsx"), main], {
        env,
        cwd: temporaryDirectory("test"),
      });
      assert.equal((await started.exited).code, 78);
      assert.match(started.output, wanted);
    });
  }
});
