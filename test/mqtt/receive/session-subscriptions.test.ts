/** Effects of the subscriptions on the client of MQTT.js. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Connection } from "../../../src/mqtt/client/connection.ts";
import { SessionSubscriptions } from "../../../src/mqtt/receive/session-subscriptions.ts";
import { memoryLog } from "../support.ts";

it("a request that the client fails to send is sent again a second later", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  let calls = 0;
  const client = {
    subscribe(_filter: string, _options: object, done: (error: null, granted: object[]) => void) {
      if (++calls === 1) throw new Error("not now");
      done(null, [{ qos: 1 }]);
    },
    getLastMessageId: () => calls,
  };
  const subscriptions = new SessionSubscriptions({
    connection: () => ({ client }) as unknown as Connection,
    persistent: true,
    log: memoryLog(),
    onConnect() {},
    onSettled() {},
    onUnsubscribed() {},
  });
  subscriptions.want([{ filter: "a", qos: 1, id: 1 }]);
  subscriptions.connected({ cmd: "connack", sessionPresent: false }, 5);
  await nextTurn();
  assert.deepEqual([calls, subscriptions.settled, subscriptions.isWaiting], [1, false, false]);
  t.mock.timers.tick(1_000);
  await nextTurn();
  assert.deepEqual([calls, subscriptions.settled], [2, true]);
});
