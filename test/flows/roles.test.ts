/** The roles in three processes on one Redis and one Mosquitto: api, uplink and delivery. See also webhook-changes. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import type { TestBridge } from "../support/bridge.ts";
import { temporaryDirectory } from "../support/directories.ts";
import { eventually } from "../support/eventually.ts";
import { receiverStatusOf } from "../support/instances.ts";
import { startProcess } from "../support/processes.ts";
import { MAIN } from "../support/program.ts";
import { mosquittoAndRedis, scenario } from "../support/scenario.ts";

const ROLES = ["api", "uplink", "delivery"] as const;

const kind = mosquittoAndRedis("5");
describe("roles in three processes", { concurrency: false, ...kind.options }, () => {
  const world = scenario(kind, { env: { ROLES: "api" }, device: { protocolVersion: 5 } });
  let api: TestBridge;
  let uplink: TestBridge;
  let delivery: TestBridge;

  before(async () => {
    api = world.bridge;
    // The delivery role needs no broker.
    const noBroker = { MQTT_URL: undefined, MQTT_PROTOCOL: undefined };
    [uplink, delivery] = await Promise.all([
      world.addBridge({ ROLES: "uplink" }),
      world.addBridge({ ROLES: "delivery", ...noBroker }),
    ]);
  });

  const payloadsAt = (path: string) => () =>
    world.receiver.calls.filter((call) => call.path === path).map(({ body }) => JSON.parse(body.toString()).data);
  /** Registers a webhook with its own path. */
  async function register(path: string, fields: Record<string, unknown> = {}): Promise<string> {
    const { status, body } = await api.api("POST", "/v1/webhooks", { url: world.receiver.url + path, ...fields });
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
        () => receiverStatusOf(bridge),
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
    for (const payload of ["1", "-1"]) await world.device.publishAsync("control", payload, { qos: 1 });
    await eventually(counts, ({ pending }) => pending === 2);
    await call("POST", `/v1/webhooks/${id}/resume`);
    await eventually(counts, ({ succeeded }) => succeeded === 2);
    assert.deepEqual(received(), [1], "the other one is filtered");

    const { messageId } = await call("POST", `/v1/webhooks/${id}/test`);
    await world.receiver.until((calls) => calls.some(({ headers }) => headers["webhook-id"] === messageId));
    const preview = await call("POST", "/v1/webhooks/preview", {
      webhook: { url: world.receiver.url, topics: ["control"], transform: '{"n": data}' },
      message: { topic: "control", payload: 7 },
    });
    assert.match(JSON.stringify(preview), /\\"n\\":7/);

    world.receiver.answer = (one) => (one.path === path ? 400 : 204);
    await world.device.publishAsync("control", "2", { qos: 1 });
    await eventually(counts, ({ failed }) => failed === 1);
    world.receiver.answer = () => 204;
    const [failed] = (await call("GET", `/v1/webhooks/${id}/deliveries?status=failed`)).items;
    await call("POST", `/v1/webhooks/${id}/deliveries/${failed.messageId}/retry`);
    await world.receiver.until(() => received().includes(2));
    const replay = await call("POST", `/v1/webhooks/${id}/replay`, { status: "succeeded" });
    await eventually(
      () => call("GET", `/v1/webhooks/${id}/replays/${replay.id}`),
      ({ state }) => state === "finished",
    );
    await world.receiver.until(() => received().filter((data) => data === 2).length === 2);
  });

  it("handle retained messages, replies and responses to stored requests", async () => {
    await world.device.publishAsync("kept", "31", { qos: 1, retain: true });
    await register("/kept", { topics: ["kept"], retained: "deliver" });
    await world.receiver.until(() => payloadsAt("/kept")().includes(31));

    const heard: string[] = [];
    world.device.on("message", (topic, payload, { properties }) => {
      heard.push(`${topic} ${payload}`);
      if (topic === "ask") world.device.publish(properties!.responseTopic!, "42", { qos: 1, properties });
    });
    await world.device.subscribeAsync(["replied", "ask"], { qos: 1 });
    world.receiver.answer = (one) => (one.path === "/reply" ? { status: 200, body: "well" } : 204);
    await register("/reply", { topics: ["reply"], replyTopic: "replied" });
    await world.device.publishAsync("reply", "1", { qos: 1 });
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
    await world.device.publishAsync("waits", "1", { qos: 1 });
    await eventually(
      () => call("GET", `/v1/webhooks/${id}`),
      ({ counts }) => counts.pending === 1,
    );
    await uplink.stop();
    assert.equal((await api.api("GET", "/readyz")).status, 200, "the API does what it can");
    await world.device.publishAsync("waits", "2", { qos: 1 });
    await Promise.all([uplink.start(), delivery.start()]);
    await world.receiver.until(() => received().length === 2);
    assert.deepEqual(received().sort(), [1, 2]);
  });

  it("end with code 0 on SIGTERM", async () => {
    const exits = await Promise.all([api, uplink, delivery].map((bridge) => bridge.stop()));
    assert.deepEqual(exits, Array(3).fill({ code: 0, signal: null }));
  });
});

describe("roles without the settings that they need", () => {
  for (const [env, wanted] of [
    [{ ROLES: "api,uplink" }, /ROLES: .*STORE_URL/],
    [{ ROLES: "uplink", STORE_URL: "redis://127.0.0.1:9" }, /ROLES: .*MQTT_URL/],
  ] as const) {
    it(`end with exit code 78: ${JSON.stringify(env)}`, async () => {
      const started = startProcess(process.execPath, [...MAIN], {
        env,
        cwd: temporaryDirectory("test"),
      });
      assert.equal((await started.exited).code, 78);
      assert.match(started.output, wanted);
    });
  }
});
