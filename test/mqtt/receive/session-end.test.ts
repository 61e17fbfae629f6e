/** End of a receiving session while the broker continues to send: the next session receives no message again. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connectAsync } from "mqtt";
import { SubscriberSession } from "../../../src/mqtt/receive/session.ts";
import { eventually } from "../../support/eventually.ts";
import { startMosquitto } from "../../support/mosquitto.ts";
import { requireOrSkip } from "../../support/requirements.ts";
import { scaled } from "../../support/speed.ts";
import { memoryLog, uniqueId } from "../support.ts";

const COUNT = 2_000;
/** In sum, the payloads exceed the buffers of sockets and streams without a reader. */
const PAYLOAD = "x".repeat(4_000);
/** Less than the time after which a connection that does not close is cut off. */
const AT_ONCE_MS = 1_500;

describe("a session that ends under load", { ...requireOrSkip("mosquitto"), timeout: 60_000 }, () => {
  for (const protocol of ["5", "3.1.1"] as const) {
    it(`MQTT ${protocol}: acknowledges the messages it accepted, and ends at once`, async (t) => {
      const mosquitto = await startMosquitto({ extraConfig: "max_inflight_messages 1000" });
      t.after(() => mosquitto.stop());
      const clientId = uniqueId();
      const open = (receive: (number: number, done: () => void) => void) => {
        const session = new SubscriberSession({
          name: "uplink",
          persistent: true,
          broker: { url: mosquitto.url, protocol },
          clientId,
          limits: { maxPending: 100, maxPendingBytes: 1 << 30 },
          log: memoryLog(),
          receive: ({ payload }, done) => receive(Number.parseInt(payload.toString(), 10), done),
          onConnect: () => session.want([{ filter: "t", qos: 1, id: 1 }]),
          onSettled: () => {},
          onUnsubscribed: () => {},
          onClose: () => {},
        });
        t.after(() => session.close());
        return session;
      };

      const taken = new Map<number, () => void>();
      const first = open((number, done) => taken.set(number, done));
      await eventually(() => first.status.granted === 1, "it is subscribed");
      const device = await connectAsync(mosquitto.url, { protocolVersion: 5 });
      t.after(() => device.endAsync(true));
      const published = Promise.all(
        Array.from({ length: COUNT }, (_, i) => device.publishAsync("t", `${i} ${PAYLOAD}`, { qos: 1 })),
      );
      await eventually(() => taken.size === 100, "it is full");
      await published;

      let drained = false;
      const drain = first.drain().then(() => {
        drained = true;
      });
      for (const done of taken.values()) {
        assert.equal(drained, false);
        done();
      }
      await drain;
      const startedAt = performance.now();
      await first.close();
      const took = performance.now() - startedAt;
      assert.equal(taken.size, 100, "nothing more was taken");

      const rest: number[] = [];
      open((number, done) => {
        rest.push(number);
        done();
      });
      await eventually(() => rest.length >= COUNT - taken.size, "the rest came to the next one");
      t.diagnostic(`it ended after ${Math.round(took)} ms`);
      assert.deepEqual(
        rest.filter((number) => taken.has(number)),
        [],
        "what was acknowledged came again",
      );
      assert.equal(new Set(rest).size, COUNT - taken.size);
      assert.ok(took < scaled(AT_ONCE_MS), `it took ${took} ms`);
    });
  }
});
