import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import type { SimulatedClient } from "../../../src/simulate/model.ts";
import { telemetry } from "../../../src/simulate/sectors/telemetry.ts";
import { clientsOf, jsonOn, NOW, on, send } from "../support.ts";

describe("a simulated Raspberry Pi", () => {
  let pi: SimulatedClient;
  beforeEach(async () => {
    [pi] = (await clientsOf(telemetry)) as [SimulatedClient];
  });

  it("says that it is online, with its state, and leaves a will", () => {
    assert.deepEqual(on(pi.connected(NOW), "devices/pi-1/status"), {
      topic: "devices/pi-1/status",
      payload: "online",
      retain: true,
    });
    assert.deepEqual(jsonOn(pi.connected(NOW), "devices/pi-1/state"), { led: "off", fan: 0, firmware: "1.4.2" });
    assert.equal(pi.will!().payload, "offline");
    assert.deepEqual(pi.disconnecting(NOW), [pi.will!()]);
  });

  it("reports the climate with the time", () => {
    const reading = jsonOn(pi.tick(NOW), "devices/pi-1/telemetry");
    assert.deepEqual(Object.keys(reading), ["temperature", "humidity", "battery", "time"]);
    assert.equal(reading.time, NOW.toISOString());
  });

  it("obeys a command and reports its state, retained", () => {
    const state = on(send(pi, "devices/pi-1/commands", { led: "on", fan: 80 }), "devices/pi-1/state");
    assert.deepEqual(JSON.parse(state.payload.toString()), { led: "on", fan: 80, firmware: "1.4.2" });
    assert.equal(state.retain, true);
  });

  it("gets colder while the fan runs", () => {
    const before = jsonOn(pi.tick(NOW), "devices/pi-1/telemetry").temperature;
    send(pi, "devices/pi-1/commands", { fan: 100 });
    for (let i = 0; i < 8; i++) pi.tick(NOW);
    assert.ok(jsonOn(pi.tick(NOW), "devices/pi-1/telemetry").temperature < before - 5);
  });

  it("is offline and online again when it reboots, with everything switched off", () => {
    send(pi, "devices/pi-1/commands", { led: "on" });
    const replies = send(pi, "devices/pi-1/commands", { reboot: true });
    assert.deepEqual(
      replies.filter(({ topic }) => topic === "devices/pi-1/status").map(({ payload }) => payload),
      ["offline", "online"],
    );
    assert.equal(jsonOn(replies, "devices/pi-1/state").led, "off");
  });

  it("answers a request on the matching topic", () => {
    const answer = jsonOn(send(pi, "devices/pi-1/requests/7", {}), "devices/pi-1/responses/7");
    assert.deepEqual(answer, { ok: true, led: "off", fan: 0, firmware: "1.4.2" });
  });

  it("answers an MQTT 5 request on its response topic, with the correlation data", () => {
    const correlationData = Buffer.from("7");
    const command = {
      topic: "devices/pi-1/commands",
      payload: Buffer.from("{}"),
      responseTopic: "me",
      correlationData,
    };
    assert.deepEqual(on(pi.command(command, NOW), "me").correlationData, correlationData);
  });

  for (const wrong of ["on", '{"led":"blue"}', '{"fan":101}', '{"led":"on","horn":1}', "[]"]) {
    it(`refuses ${wrong} and changes nothing`, () => {
      const [error, ...others] = send(pi, "devices/pi-1/commands", wrong);
      assert.equal(error!.topic, "devices/pi-1/errors");
      assert.deepEqual(others, []);
      assert.equal(jsonOn(send(pi, "devices/pi-1/requests/7", wrong), "devices/pi-1/responses/7").ok, false);
      assert.equal(jsonOn(pi.connected(NOW), "devices/pi-1/state").led, "off");
    });
  }
});
