import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import type { SimulatedClient } from "../../../src/simulate/model.ts";
import { lora } from "../../../src/simulate/sectors/lora.ts";
import { clientsOf, jsonOn, NOW, send } from "../support.ts";

let chirpStack: SimulatedClient;
let thingsStack: SimulatedClient;
beforeEach(async () => {
  [chirpStack, thingsStack] = (await clientsOf(lora)) as [SimulatedClient, SimulatedClient];
});
const names = (messages: { topic: string }[]) => messages.map(({ topic }) => topic.split("/").slice(4).join("/"));

describe("a simulated ChirpStack device", () => {
  const DEV_EUI = "70b3d57ed0000001";
  const TOPIC = `application/17c82e96-be03-4f38-aef3-f83d48582d97/device/${DEV_EUI}`;
  const down = (item: object) => send(chirpStack, `${TOPIC}/command/down`, { devEui: DEV_EUI, fPort: 10, ...item });

  it("joins and sends uplinks whose data and object agree", () => {
    assert.equal(jsonOn(chirpStack.connected(NOW), `${TOPIC}/event/join`).deviceInfo.devEui, DEV_EUI);
    const { data, object, fCnt, fPort } = jsonOn(chirpStack.tick(NOW), `${TOPIC}/event/up`);
    const bytes = Buffer.from(data, "base64");
    assert.deepEqual(
      [bytes.readUInt16BE(0) / 10, bytes.readInt16BE(2) / 10, bytes[5]],
      [object.moisture, object.temperature, 0],
    );
    assert.deepEqual([fCnt, fPort], [0, 1]);
    assert.equal(jsonOn(chirpStack.tick(NOW), `${TOPIC}/event/up`).fCnt, 1);
  });

  it("sends a downlink after the next uplink, and confirms it with the one after", () => {
    assert.deepEqual(down({ id: "q1", confirmed: true, data: "AQ==" }), []);
    const first = chirpStack.tick(NOW);
    const txack = jsonOn(first, `${TOPIC}/event/txack`);
    assert.deepEqual([txack.queueItemId, txack.fCntDown], ["q1", 0]);
    const second = chirpStack.tick(NOW);
    const ack = jsonOn(second, `${TOPIC}/event/ack`);
    assert.deepEqual([ack.queueItemId, ack.acknowledged, ack.fCntDown], ["q1", true, 0]);
    assert.equal(jsonOn(second, `${TOPIC}/event/up`).object.valve, "open");
    assert.deepEqual(names(chirpStack.tick(NOW)), ["event/up"]);
  });

  it("sends one downlink at a time, and does not confirm an unconfirmed one", () => {
    down({ data: "AQ==" });
    down({ data: "AA==" });
    const rounds = Array.from({ length: 3 }, () => names(chirpStack.tick(NOW)));
    assert.deepEqual(rounds, [["event/up", "event/txack"], ["event/up", "event/txack"], ["event/up"]]);
  });

  it("waters the soil while the valve is open", () => {
    const moisture = () => jsonOn(chirpStack.tick(NOW), `${TOPIC}/event/up`).object.moisture;
    const before = moisture();
    down({ data: "AQ==" });
    for (let i = 0; i < 10; i++) moisture();
    assert.ok(moisture() > before + 5);
  });

  for (const [item, code] of [
    [{ data: "no base64" }, "DOWNLINK_CODEC"],
    [{ data: "AQ==", fPort: 0 }, "UNKNOWN"],
    [{ data: "AQ==", devEui: "0000000000000000" }, "UNKNOWN"],
    [{ data: Buffer.alloc(243).toString("base64") }, "DOWNLINK_PAYLOAD_SIZE"],
  ] as const) {
    it(`logs ${code} for ${JSON.stringify(item).slice(0, 50)}`, () => {
      const log = jsonOn(down(item), `${TOPIC}/event/log`);
      assert.deepEqual([log.level, log.code], ["ERROR", code]);
      assert.deepEqual(names(chirpStack.tick(NOW)), ["event/up"]);
    });
  }
});

describe("a simulated device at The Things Stack", () => {
  const TOPIC = "v3/farm@tenant/devices/field-1";
  const push = (...downlinks: object[]) => send(thingsStack, `${TOPIC}/down/push`, { downlinks });
  const downlink = { f_port: 10, frm_payload: "AQ==", confirmed: true, correlation_ids: ["my-id"] };

  it("joins and sends uplinks, without empty fields", () => {
    assert.ok(jsonOn(thingsStack.connected(NOW), `${TOPIC}/join`).join_accept.session_key_id);
    const { end_device_ids, uplink_message } = jsonOn(thingsStack.tick(NOW), `${TOPIC}/up`);
    assert.deepEqual([end_device_ids.device_id, end_device_ids.application_ids.application_id], ["field-1", "farm"]);
    assert.ok(!("f_cnt" in uplink_message));
    assert.equal(jsonOn(thingsStack.tick(NOW), `${TOPIC}/up`).uplink_message.f_cnt, 1);
  });

  it("queues, sends and acknowledges a confirmed downlink, with its correlation id", () => {
    const queued = jsonOn(push(downlink), `${TOPIC}/down/queued`);
    assert.deepEqual(queued.downlink_queued, { ...downlink, priority: "NORMAL" });
    assert.equal(jsonOn(thingsStack.tick(NOW), `${TOPIC}/down/sent`).downlink_sent.frm_payload, "AQ==");
    const last = thingsStack.tick(NOW);
    assert.equal(jsonOn(last, `${TOPIC}/down/ack`).correlation_ids[0], "my-id");
    assert.equal(jsonOn(last, `${TOPIC}/up`).uplink_message.decoded_payload.valve, "open");
  });

  it("replaces the queue", () => {
    push({ ...downlink, f_port: 1 }, { ...downlink, f_port: 2 });
    send(thingsStack, `${TOPIC}/down/replace`, { downlinks: [{ ...downlink, f_port: 3 }] });
    assert.equal(jsonOn(thingsStack.tick(NOW), `${TOPIC}/down/sent`).downlink_sent.f_port, 3);
    assert.deepEqual(
      thingsStack.tick(NOW).map(({ topic }) => topic),
      [`${TOPIC}/up`, `${TOPIC}/down/ack`],
    );
  });

  it("reports a downlink that fails, and queues the others", () => {
    const messages = push({ frm_payload: "AQ==" }, downlink);
    assert.equal(jsonOn(messages, `${TOPIC}/down/failed`).downlink_failed.error.name, "invalid_f_port");
    assert.ok(jsonOn(messages, `${TOPIC}/down/queued`));
  });
});
