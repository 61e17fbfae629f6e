/** The embedded broker on a file that refuses a call, as on a full disk. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connect, type IClientOptions } from "mqtt";
import { EngineError } from "../../../src/bullmq-sqlite/index.ts";
import { client, payloadsUntil, start } from "./clients.ts";

describe("a call that the file refuses once", () => {
  /** Every message has the same packet identifier. */
  const messageIdProvider = {
    allocate: () => 7,
    getLastAllocated: () => 7,
    register: () => true,
    deallocate() {},
    clear() {},
  };
  const device = { clientId: "device", clean: false, reconnectPeriod: 20, messageIdProvider };

  function refusing() {
    const refusing = {
      procedure: "",
      beforeCall(procedure: string): undefined {
        if (procedure !== refusing.procedure) return;
        refusing.procedure = "";
        throw new EngineError("FULL", "the disk is full");
      },
    };
    return refusing;
  }

  for (const [qos, refused] of [
    [1, "mqtt.enqueue"],
    [1, "mqtt.retain"],
    [2, "mqtt.incoming"],
    [2, "mqtt.enqueue"],
    [2, "mqtt.retain"],
    [2, "mqtt.deleteIncoming"],
    [2, "mqtt.sent"],
    [2, "mqtt.released"],
    [2, "mqtt.acknowledged"],
  ] as const) {
    it(`${refused} at QoS ${qos}: the message that is sent again arrives once`, async (t) => {
      const file = refusing();
      const { url } = await start(t, file);
      const subscriber = await client(t, url, { clientId: "subscriber", clean: false, reconnectPeriod: 20 });
      const got = payloadsUntil(subscriber, "end");
      // A message may overtake one that the broker sends again.
      const both = Promise.all(["refused", "last"].map((payload) => payloadsUntil(subscriber, payload)));
      await subscriber.subscribeAsync("a", { qos: 2 });
      const publisher = await client(t, url, device);
      await publisher.publishAsync("a", "before", { qos });
      file.procedure = refused;
      await publisher.publishAsync("a", "refused", { qos, retain: refused === "mqtt.retain" });
      await publisher.publishAsync("a", "last", { qos });
      await both;
      await publisher.publishAsync("a", "end", { qos });
      assert.deepEqual((await got).sort(), ["before", "end", "last", "refused"]);
      assert.equal(file.procedure, "", "the call was refused");
    });
  }

  for (const refused of [
    "mqtt.deleteWill",
    "mqtt.putWill",
    "mqtt.subscribe",
    "mqtt.findRetained",
    "mqtt.newestOutgoing",
  ]) {
    it(`${refused}: the broker goes on, and the client connects again`, async (t) => {
      const file = refusing();
      const { url } = await start(t, file);
      const options = {
        clientId: "subscriber",
        clean: false,
        will: { topic: "gone", payload: Buffer.from("x"), qos: 1 },
      };
      file.procedure = refused;
      const subscriber = connect(url, { ...options, reconnectPeriod: 20 } as IClientOptions);
      subscriber.on("error", () => {});
      t.after(() => subscriber.endAsync(true));
      const got = payloadsUntil(subscriber, "here");
      while (!(await subscriber.subscribeAsync("a", { qos: 1 }).catch(() => undefined)))
        await new Promise<void>((resolve) => subscriber.once("connect", () => resolve()));
      const publisher = await client(t, url);
      await publisher.publishAsync("a", "here", { qos: 1 });
      await got;
      assert.equal(file.procedure, "", "the call was refused");
    });
  }
});
