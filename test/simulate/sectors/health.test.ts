import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import type { SimulatedClient } from "../../../src/simulate/model.ts";
import { health } from "../../../src/simulate/sectors/health.ts";
import { clientsOf, jsonOn, NOW, send } from "../support.ts";

const TOPIC = "health/patients/p-fe7592d0";

describe("a simulated patient monitor", () => {
  let monitor: SimulatedClient;
  beforeEach(async () => {
    [monitor] = (await clientsOf(health)) as [SimulatedClient];
  });
  const command = (payload: object) => send(monitor, `${TOPIC}/commands`, payload);
  const limit = (high: number) => command({ id: "7", command: "set_limit", vital: "heartRate", low: 20, high });

  it("reports plausible vital signs under a pseudonym", () => {
    for (let i = 0; i < 200; i++) {
      const { heartRate, spo2, temperature } = jsonOn(monitor.tick(NOW), `${TOPIC}/vitals`);
      assert.ok(heartRate >= 35 && heartRate <= 190 && spo2 >= 80 && spo2 <= 100 && temperature > 34);
    }
  });

  it("raises one alarm at a limit, and clears it", () => {
    const raised = jsonOn(limit(30), `${TOPIC}/alarms`);
    assert.deepEqual([raised.vital, raised.state, raised.limits.high], ["heartRate", "raised", 30]);
    assert.equal(monitor.tick(NOW).filter(({ topic }) => topic.endsWith("/alarms")).length, 0);
    const cleared = jsonOn(limit(150), `${TOPIC}/alarms`);
    assert.deepEqual([cleared.id, cleared.state], [raised.id, "cleared"]);
  });

  it("answers with the id of the command", () => {
    assert.deepEqual(jsonOn(limit(140), `${TOPIC}/answers`), {
      id: "7",
      status: "done",
      limits: {
        heartRate: { low: 20, high: 140 },
        spo2: { low: 90, high: 101 },
        respiration: { low: 8, high: 30 },
        temperature: { low: 35, high: 39 },
      },
    });
  });

  it("acknowledges an active alarm, and no other", () => {
    const { id } = jsonOn(limit(30), `${TOPIC}/alarms`);
    const messages = command({ command: "acknowledge", alarm: id });
    assert.equal(jsonOn(messages, `${TOPIC}/alarms`).state, "acknowledged");
    limit(150);
    assert.equal(jsonOn(command({ command: "acknowledge", alarm: id }), `${TOPIC}/answers`).status, "rejected");
  });

  it("measures when asked", () => {
    assert.ok(jsonOn(command({ command: "measure" }), `${TOPIC}/vitals`).heartRate);
  });

  for (const wrong of [
    { command: "set_limit", vital: "mood", high: 1 },
    { command: "set_limit", vital: "heartRate", high: "much" },
    { command: "set_limit", vital: "heartRate", low: 100, high: 90 },
    { command: "heal" },
  ]) {
    it(`rejects ${JSON.stringify(wrong)}`, () => {
      const [answer, ...others] = command(wrong);
      assert.equal(JSON.parse(answer!.payload.toString()).status, "rejected");
      assert.deepEqual(others, []);
    });
  }
});
