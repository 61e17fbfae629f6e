/** A webhook that hangs and one that answers 500 must not slow down a healthy one. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { mosquittoAndRedis, startScenario } from "../support/scenario.ts";

const PER_SECOND = 200;
const SECONDS = 4;
/** The median leaves out rounds that other load on the machine slows down. */
const ROUNDS = 5;
const TIMEOUT_MS = 2_000;

const kind = mosquittoAndRedis("5");

describe("failing webhooks", kind.options, () => {
  it("do not noticeably delay a healthy one at 200 messages a second", async (t) => {
    const {
      bridge,
      receiver: healthy,
      device,
      addReceiver,
    } = await startScenario(t, kind, { device: { protocolVersion: 5 } });
    const [hanging, failing] = [await addReceiver(), await addReceiver()];
    hanging.delayMs = TIMEOUT_MS + 500;
    failing.answer = () => 500;
    await bridge.register({ url: healthy.url, topics: ["n"] });

    const p99 = async () => {
      const before = healthy.calls.length;
      const total = PER_SECOND * SECONDS;
      const startedAt = performance.now();
      for (let sent = 0; sent < total; ) {
        const due = Math.min(total, ((performance.now() - startedAt) / 1_000) * PER_SECOND);
        for (; sent < due; sent++) device.publish("n", JSON.stringify(Date.now()), { qos: 1 });
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      await healthy.until((calls) => calls.length >= before + total, 30_000);
      const waits = healthy.calls.slice(before).map(({ body, at }) => at - JSON.parse(body.toString()).data);
      return waits.sort((a, b) => a - b)[Math.ceil(waits.length * 0.99) - 1]!;
    };
    const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

    await p99();
    const [alone, beside]: [number[], number[]] = [[], []];
    for (let round = 0; round < ROUNDS; round++) {
      alone.push(await p99());
      const ids: string[] = [];
      // New webhooks each time: ten calls hang until they time out, ten get 500, and then their breakers open.
      for (const { url } of [hanging, failing]) {
        ids.push((await bridge.register({ url, topics: ["n"], timeoutMs: TIMEOUT_MS })).id);
      }
      beside.push(await p99());
      for (const id of ids) {
        const { body } = await bridge.api("GET", `/v1/webhooks/${id}`);
        assert.equal(body.state, "failing");
        await bridge.api("DELETE", `/v1/webhooks/${id}`);
      }
    }
    t.diagnostic(`p99 alone ${alone} ms, beside sick ones ${beside} ms`);
    assert.ok(hanging.attempts.length >= 10 * ROUNDS && failing.attempts.length >= 10 * ROUNDS);
    // Generous, for busy machines; a webhook that waits for another one's timeout exceeds it by far.
    assert.ok(
      median(beside) <= 2 * median(alone) + 50,
      `${median(beside)} ms beside sick ones, ${median(alone)} alone`,
    );
  });
});
