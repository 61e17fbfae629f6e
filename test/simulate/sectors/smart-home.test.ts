import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import type { SimulatedClient } from "../../../src/simulate/model.ts";
import { smartHome } from "../../../src/simulate/sectors/smart-home.ts";
import { clientsOf, jsonOn, NOW, on, send } from "../support.ts";

let gateway: SimulatedClient;
let plug: SimulatedClient;
beforeEach(async () => {
  [gateway, plug] = (await clientsOf(smartHome)) as [SimulatedClient, SimulatedClient];
});

describe("simulated Zigbee2MQTT", () => {
  const set = (payload: unknown, topic = "zigbee2mqtt/lamp_1/set") => send(gateway, topic, payload);
  const lamp = (payload: unknown) => jsonOn(set(payload), "zigbee2mqtt/lamp_1");
  const failure = (payload: unknown, topic?: string) => jsonOn(set(payload, topic), "zigbee2mqtt/bridge/logging");

  it("publishes the states of bridge and devices, retained", () => {
    const messages = gateway.connected(NOW);
    for (const topic of ["zigbee2mqtt/bridge/state", "zigbee2mqtt/lamp_1/availability"]) {
      assert.equal(on(messages, topic).retain, true);
      assert.deepEqual(jsonOn(messages, topic), { state: "online" });
    }
    const names = jsonOn(messages, "zigbee2mqtt/bridge/devices").map(
      (each: { friendly_name: string }) => each.friendly_name,
    );
    assert.deepEqual(names, ["lamp_1", "climate_1"]);
    assert.deepEqual(JSON.parse(gateway.will!().payload.toString()), { state: "offline" });
  });

  it("switches a lamp on, off and over", () => {
    assert.equal(lamp({ state: "ON" }).state, "ON");
    assert.equal(lamp("off").state, "OFF");
    assert.equal(lamp({ state: "toggle" }).state, "ON");
  });

  it("dims: a brightness switches on, and 0 off", () => {
    assert.deepEqual([lamp({ brightness: 128 }).state, lamp({ state: "" + "ON" }).brightness], ["ON", 128]);
    assert.deepEqual([lamp({ brightness: 0 }).state, lamp({ state: "ON" }).brightness], ["OFF", 128]);
  });

  it("takes one attribute in the topic", () => {
    const messages = set("200", "zigbee2mqtt/lamp_1/set/color_temp");
    assert.equal(jsonOn(messages, "zigbee2mqtt/lamp_1").color_temp, 200);
  });

  it("publishes the state when asked", () => {
    assert.equal(jsonOn(send(gateway, "zigbee2mqtt/lamp_1/get", { state: "" }), "zigbee2mqtt/lamp_1").state, "OFF");
  });

  it("logs a command that fails", () => {
    assert.match(failure({ brightness: 255 }).message, /Invalid brightness/);
    assert.match(failure({ state: "BLUE" }).message, /Invalid state/);
    assert.match(failure({ volume: 3 }).message, /No converter available for 'volume'/);
    assert.match(failure("loud").message, /Invalid JSON/);
    assert.match(failure({ state: "ON" }, "zigbee2mqtt/lamp_9/set").message, /'lamp_9' is unknown/);
    assert.match(failure({ temperature: 20 }, "zigbee2mqtt/climate_1/set").message, /No converter/);
  });

  it("answers requests to the bridge, with their transaction", () => {
    const request = (name: string, payload: object) =>
      jsonOn(send(gateway, `zigbee2mqtt/bridge/request/${name}`, payload), `zigbee2mqtt/bridge/response/${name}`);
    assert.deepEqual(request("health_check", { transaction: 7 }), {
      data: { healthy: true },
      status: "ok",
      transaction: 7,
    });
    assert.deepEqual(request("permit_join", { time: 60 }).data, { time: 60 });
    assert.equal(request("constructor", {}).status, "error");
  });
});

describe("a simulated Tasmota plug", () => {
  const command = (name: string, payload: string) => send(plug, `cmnd/plug_1/${name}`, payload);
  const result = (name: string, payload: string) => jsonOn(command(name, payload), "stat/plug_1/RESULT");

  it("is Online, retained, with the will Offline", () => {
    assert.deepEqual(on(plug.connected(NOW), "tele/plug_1/LWT"), {
      topic: "tele/plug_1/LWT",
      payload: "Online",
      retain: true,
    });
    assert.equal(plug.will!().payload, "Offline");
  });

  it("switches, and answers on RESULT and POWER", () => {
    for (const [payload, expected] of [
      ["ON", "ON"],
      ["toggle", "OFF"],
      ["1", "ON"],
      ["", "ON"],
      ["false", "OFF"],
    ]) {
      const messages = command("POWER", payload!);
      assert.deepEqual(jsonOn(messages, "stat/plug_1/RESULT"), { POWER: expected });
      assert.equal(on(messages, "stat/plug_1/POWER").payload, expected);
    }
  });

  it("obeys commands to the group", () => {
    assert.deepEqual(jsonOn(send(plug, "cmnd/tasmotas/POWER", "ON"), "stat/plug_1/RESULT"), { POWER: "ON" });
  });

  it("measures power only while it is on, and counts energy", () => {
    const energyAt = (seconds: number) =>
      jsonOn(plug.tick(new Date(NOW.getTime() + seconds * 1_000)), "tele/plug_1/SENSOR").ENERGY;
    assert.equal(energyAt(0).Power, 0);
    command("POWER", "ON");
    const first = energyAt(10);
    assert.ok(first.Power > 0);
    assert.ok(energyAt(3_610).Total > first.Total);
  });

  it("answers STATUS, STATE and TelePeriod, and names unknown commands", () => {
    assert.equal(jsonOn(command("STATUS", ""), "stat/plug_1/STATUS").Status.Power, "0");
    assert.ok(jsonOn(command("STATUS", "10"), "stat/plug_1/STATUS10").StatusSNS.ENERGY);
    assert.equal(result("STATE", "").POWER, "OFF");
    assert.deepEqual([result("TelePeriod", "60"), result("TelePeriod", "5")], [{ TelePeriod: 60 }, { TelePeriod: 60 }]);
    assert.equal(result("Coffee", "1").Command, "Unknown");
  });
});

describe("Home Assistant discovery", () => {
  it("is retained, with topics that the devices use", () => {
    const configs = [...gateway.connected(NOW), ...plug.connected(NOW)].filter(({ topic }) =>
      /^homeassistant\/(light|sensor|switch)\/[\w-]+\/\w+\/config$/.test(topic),
    );
    assert.equal(configs.length, 6);
    for (const { payload, retain } of configs) {
      const config = JSON.parse(payload.toString());
      assert.ok(retain && config.unique_id && config.device.identifiers.length > 0);
    }
    const light = JSON.parse(configs.find(({ topic }) => topic.includes("/light/"))!.payload.toString());
    assert.equal(jsonOn(send(gateway, light.command_topic, { state: "ON" }), light.state_topic).state, "ON");
    const relay = JSON.parse(configs.find(({ topic }) => topic.includes("/switch/"))!.payload.toString());
    assert.equal(on(send(plug, relay.command_topic, "ON"), relay.state_topic).payload, "ON");
  });

  it("comes again when Home Assistant comes online", () => {
    assert.equal(send(gateway, "homeassistant/status", "online").length, 4);
    assert.equal(send(plug, "homeassistant/status", "online").length, 2);
    assert.deepEqual(send(plug, "homeassistant/status", "offline"), []);
  });
});
