/** A broker that closes the connection at some filters: the affected caller gets the error, all else keeps working. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type FakeBroker, polite, politeBut, startFakeBroker } from "../mqtt/fake-broker.ts";
import type { Answer } from "../support/bridge.ts";
import { eventually } from "../support/eventually.ts";
import { embedded, scenario } from "../support/scenario.ts";

const REASON = "the broker ends the connection at this filter";
const WAIT_MS = 30_000;

describe("a broker that closes the connection at a filter", () => {
  let broker: FakeBroker;
  before(async () => {
    broker = await startFakeBroker(
      politeBut({
        subscribe: (packet, link) => {
          if (packet.cmd !== "subscribe") return;
          if (packet.subscriptions.some(({ topic }) => topic.startsWith("bad/"))) link.socket.end();
          else polite(packet, link);
        },
      }),
    );
  });
  const env = () => ({ MQTT_URL: broker.url, MQTT_PROTOCOL: "3.1.1" });
  const world = scenario(embedded, { env, device: false });
  after(() => broker?.close());

  const until = (method: string, path: string, condition: (answer: Answer) => boolean) =>
    eventually(() => world.bridge.api(method, path), condition, WAIT_MS);

  it("does not affect other webhooks, and is reported on the affected one", async () => {
    const url = world.receiver.url;
    const { body: other } = await world.bridge.api("POST", "/v1/webhooks", { url, topics: ["good/1"] });
    const { body } = await world.bridge.api("POST", "/v1/webhooks", { url, topics: ["good/2", "bad/1"] });
    const shown = await until("GET", `/v1/webhooks/${body.id}`, (answer) => answer.body.refusedTopics !== undefined);
    assert.deepEqual(shown.body.refusedTopics, [{ topic: "bad/1", reason: REASON }]);
    assert.equal((await world.bridge.api("GET", `/v1/webhooks/${other.id}`)).body.refusedTopics, undefined);
    const { lanes } = (
      await until("GET", "/v1/status", (answer) => answer.body.lanes[0].sessions[0].state === "connected")
    ).body;
    assert.deepEqual(lanes[0].sessions[0].refused, [{ filter: "bad/1", reason: REASON }]);

    const { body: ready } = await world.bridge.api("GET", "/readyz");
    assert.match(
      ready.checks.uplink.detail,
      new RegExp(`^causeway-uplink-0: a filter is refused \\(see /v1/status\\): ${REASON}`),
    );

    const session = broker.connections.findLast(({ connect }) => connect.clientId === "causeway-uplink-0")!;
    await session.until("subscribe", 2);
    const message = { cmd: "publish", payload: "x", qos: 0, retain: false, dup: false } as const;
    session.send({ ...message, topic: "good/1" }, { ...message, topic: "good/2" });
    await world.receiver.untilCalled(2);
  });

  it("fails only the asynchronous request whose response could not arrive", async () => {
    const ask = (responseTopic: string) =>
      world.bridge.api("POST", "/v1/requests", { topic: "t", responseTopic }, { prefer: "respond-async" });
    const { body: bad } = await ask("bad/answer");
    const { body: good } = await ask("good/answer");
    const failed = await until("GET", `/v1/messages/${bad.id}`, ({ body }) => body.outcome !== "queued");
    assert.equal(failed.body.outcome, "failed");
    assert.equal(failed.body.error, `no answer could arrive at bad/answer: ${REASON}`);
    const sent = await until("GET", `/v1/messages/${good.id}`, ({ body }) => body.outcome !== "queued");
    assert.equal(sent.body.outcome, "acknowledged");
  });

  it("makes the affected stream and synchronous request fail with 502", async () => {
    const stream = await world.bridge.api("GET", "/v1/stream?topic=bad/2");
    assert.deepEqual([stream.status, stream.body.code], [502, "broker_refused"]);
    assert.equal(stream.body.detail, `bad/2: ${REASON}`);
    const request = await world.bridge.api("POST", "/v1/requests", { topic: "t", responseTopic: "bad/2" });
    assert.deepEqual([request.status, request.body.code], [502, "broker_refused"]);
  });
});
