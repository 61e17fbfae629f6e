import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import type { SimulatedClient } from "../../../src/simulate/model.ts";
import { vehicle } from "../../../src/simulate/sectors/vehicle.ts";
import { clientsOf, jsonOn, NOW, on, send } from "../support.ts";

const later = (seconds: number) => new Date(NOW.getTime() + seconds * 1_000);

describe("a simulated car", () => {
  let car: SimulatedClient;
  beforeEach(async () => {
    [car] = (await clientsOf(vehicle)) as [SimulatedClient];
  });

  const command = (name: string) => send(car, "vehicles/car-1/commands", { id: "7", command: name });
  const stateAfter = (name: string) => jsonOn(command(name), "vehicles/car-1/state");

  it("drives: the position moves by its speed, and fuel and odometer follow", () => {
    const [before, engineBefore] = readings(0);
    const [after, engineAfter] = readings(60);
    const meters = Math.hypot(
      (after.latitude - before.latitude) * 111_320,
      (after.longitude - before.longitude) * 111_320 * Math.cos((before.latitude * Math.PI) / 180),
    );
    const expected = (after.speedKmh / 3.6) * 60;
    assert.ok(Math.abs(meters - expected) < expected * 0.05, `${meters} of ${expected} m`);
    assert.ok(engineAfter.odometerKm > engineBefore.odometerKm);
    assert.ok(engineAfter.fuelPercent < engineBefore.fuelPercent);
  });

  function readings(seconds: number) {
    const messages = car.tick(later(seconds));
    return [jsonOn(messages, "vehicles/car-1/position"), jsonOn(messages, "vehicles/car-1/engine")];
  }

  it("locks, and acknowledges when the motors have moved", () => {
    const ack = on(command("lock"), "vehicles/car-1/acks/7");
    assert.deepEqual(JSON.parse(ack.payload.toString()), { id: "7", status: "done" });
    assert.ok(ack.delayMs! > 0);
  });

  it("does not unlock while it moves", () => {
    assert.deepEqual(jsonOn(command("unlock"), "vehicles/car-1/acks/7"), {
      id: "7",
      status: "rejected",
      reason: "the car is moving",
    });
    assert.equal(stateAfter("stop").doors, "locked");
    assert.equal(stateAfter("unlock").doors, "unlocked");
  });

  it("stops and starts", () => {
    assert.equal(stateAfter("stop").engine, "off");
    assert.deepEqual([readings(0)[0].speedKmh, readings(0)[1].rpm], [0, 0]);
    assert.equal(stateAfter("start").engine, "running");
    assert.ok(readings(0)[1].rpm > 800);
  });

  it("switches the climate, and honks", () => {
    assert.equal(stateAfter("climate_on").climate, "on");
    assert.equal(stateAfter("climate_off").climate, "off");
    assert.equal(jsonOn(command("horn"), "vehicles/car-1/acks/7").status, "done");
  });

  it("finds a fault after some time, and clears it", () => {
    const messages = Array.from({ length: 10 }, (_, i) => car.tick(later(i))).flat();
    const faults = on(messages, "vehicles/car-1/dtc");
    assert.equal(JSON.parse(faults.payload.toString()).codes[0].code, "P0301");
    assert.equal(faults.retain, true);
    assert.deepEqual(jsonOn(command("clear_dtc"), "vehicles/car-1/dtc"), { codes: [] });
  });

  it("rejects an unknown command, and one without an id", () => {
    assert.equal(jsonOn(command("fly"), "vehicles/car-1/acks/7").status, "rejected");
    const replies = send(car, "vehicles/car-1/commands", { command: "lock", id: "a/b" });
    assert.equal(jsonOn(replies, "vehicles/car-1/acks/unknown").status, "rejected");
  });
});
