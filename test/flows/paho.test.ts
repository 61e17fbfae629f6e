/** Requests to a device written with another MQTT library. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { startProcess, type TestProcess } from "../support/processes.ts";
import { type Kind, mosquittoAndRedis, scenario } from "../support/scenario.ts";

/** Debian's Python, because other installations do not see Debian's Paho package. */
const PYTHON = "/usr/bin/python3";
const DEVICE = fileURLToPath(new URL("../support/paho_device.py", import.meta.url));
const PAHO = ["/usr/lib/python3/dist-packages/paho"];

function options(kind: Kind) {
  if (PAHO.every((path) => existsSync(path))) return kind.options;
  const reason = "not installed: python3-paho-mqtt";
  if (process.env.CI) throw new Error(`${reason} (CI must install it: see .ci/run)`);
  return { skip: reason };
}

for (const protocol of ["5", "3.1.1"] as const) {
  const kind = mosquittoAndRedis(protocol);
  describe(`a Paho device: ${kind.name}`, options(kind), () => {
    const world = scenario(kind);
    let paho: TestProcess;
    before(async () => {
      paho = startProcess(PYTHON, [DEVICE, new URL(world.brokerUrl).port, protocol]);
      await paho.waitFor(/listening/);
    });
    after(() => paho?.stop("SIGTERM"));

    const asked =
      protocol === "5"
        ? { topic: "paho/5/requests", payload: { id: "{requestId}" } }
        : {
            topic: "paho/3/requests/{requestId}",
            responseTopic: "paho/3/responses/{requestId}",
            payload: { id: "{requestId}" },
          };

    it("answers 200 concurrent requests, each with its own response", async () => {
      const answers = await Promise.all(
        Array.from({ length: 200 }, () => world.bridge.api("POST", "/v1/requests", asked)),
      );
      for (const { status, body } of answers) {
        assert.equal(status, 200);
        assert.deepEqual(body.response.payload, { id: body.id });
        if (protocol === "5") assert.equal(body.response.status, "200");
      }
    });

    it("adds at most 10 ms to the bare round trip over the broker (p50)", async (test) => {
      await world.device.subscribeAsync("paho/3/responses/bare", { qos: 1 });
      const bare = await medianOf(async () => {
        const answered = new Promise((resolve) => world.device.once("message", resolve));
        world.device.publish("paho/3/requests/bare", "{}", { qos: 1 });
        await answered;
      });
      const ours = await medianOf(async () => {
        assert.equal((await world.bridge.api("POST", "/v1/requests", asked)).status, 200);
      });
      test.diagnostic(`bare ${bare.toFixed(1)} ms, over HTTP ${ours.toFixed(1)} ms`);
      assert.ok(ours - bare <= 10, `${ours} ms beside ${bare} ms`);
    });
  });
}

async function medianOf(run: () => Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 100; i++) {
    const start = performance.now();
    await run();
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[50]!;
}
