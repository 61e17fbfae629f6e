/**
 * A webhook that hangs and one that answers 500 must not hold back a healthy one. `npm run bench -- --only neighbours`
 * compares the times; here no verdict depends on the speed of the machine.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { mosquittoAndRedis, startScenario } from "../support/scenario.ts";

const PER_SECOND = 200;
const SECONDS = 4;
/** Calls of a webhook at the same time. */
const CONCURRENCY = 10;
/** The longest time limit of a call: none of those that hang ends during the test. */
const TIMEOUT_MS = 60_000;

const kind = mosquittoAndRedis("5");

describe("failing webhooks", kind.options, () => {
  it("do not hold back a healthy one at 200 messages a second", async (t) => {
    const { bridge, receiver: healthy, device, addReceiver } = await startScenario(t, kind);
    const failing = await addReceiver();
    failing.answer = () => 500;
    let hanging = 0;
    let ended = 0;
    const hangs = createServer((request, response) => {
      hanging++;
      request.resume();
      response.on("close", () => ended++);
    }).listen(0, "127.0.0.1");
    t.after(() => {
      hangs.close();
      hangs.closeAllConnections();
    });
    await once(hangs, "listening");
    const url = `http://127.0.0.1:${(hangs.address() as AddressInfo).port}`;
    await bridge.register({ url: healthy.url, topics: ["n"] });
    await bridge.register({ url, topics: ["n"], timeoutMs: TIMEOUT_MS });
    const { id } = await bridge.register({ url: failing.url, topics: ["n"] });

    const total = PER_SECOND * SECONDS;
    const startedAt = performance.now();
    for (let sent = 0; sent < total; ) {
      const due = Math.min(total, ((performance.now() - startedAt) / 1_000) * PER_SECOND);
      for (; sent < due; sent++) device.publish("n", String(sent), { qos: 1 });
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await healthy.until((calls) => calls.length >= total, 30_000);

    // The healthy webhook has everything while the first calls of the other one still hang.
    assert.equal(hanging, CONCURRENCY);
    assert.equal(ended, 0);
    assert.ok(failing.attempts.length >= CONCURRENCY, `${failing.attempts.length} failed calls`);
    assert.equal((await bridge.api("GET", `/v1/webhooks/${id}`)).body.state, "failing");
  });
});
