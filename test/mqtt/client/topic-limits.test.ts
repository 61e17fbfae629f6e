/** Limits of real brokers from which the rules of src/topic.ts are derived. Each case has its own connection. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { connectAsync } from "mqtt";
import type { EmbeddedBroker } from "../../../src/mqtt/embedded/broker.ts";
import { temporaryDirectory } from "../../support/directories.ts";
import { type Mosquitto, startMosquitto } from "../../support/mosquitto.ts";
import { requireOrSkip } from "../../support/requirements.ts";
import { startBroker } from "../embedded/start-broker.ts";

const levels = (count: number) => Array(count).fill("a").join("/");

type Act = "publish" | "subscribe" | "unsubscribe";

/** Returns whether the connection survives. Mosquitto acknowledges some requests before it ends the connection. */
async function takes(url: string, protocolVersion: 4 | 5, act: Act, topic: string, properties = {}): Promise<boolean> {
  const client = await connectAsync(url, { protocolVersion, reconnectPeriod: 0 });
  client.on("error", () => {});
  try {
    return await new Promise((resolve) => {
      client.once("close", () => resolve(false));
      const done = () => client.publish("after", "x", { qos: 1 }, (error) => !error && resolve(true));
      if (act === "publish") client.publish(topic, "x", { qos: 1, properties }, done);
      else if (act === "subscribe") client.subscribe(topic, { qos: 1 }, done);
      else client.unsubscribe(topic, done);
    });
  } finally {
    await client.endAsync(true);
  }
}

const ACTS = ["publish", "subscribe", "unsubscribe"] as const;

describe("topic limits of Aedes", () => {
  let broker: EmbeddedBroker;
  before(async () => {
    const dataDir = temporaryDirectory("limits");
    broker = await startBroker({ dataDir });
  });
  after(() => broker.close());

  for (const act of ACTS) {
    it(`${act}: accepts 100 levels, and ends the connection at 101`, async () => {
      assert.equal(await takes(broker.url, 4, act, levels(100)), true);
      assert.equal(await takes(broker.url, 4, act, levels(101)), false);
    });
  }

  it("publish: ends the connection below $SYS/", async () => {
    assert.equal(await takes(broker.url, 4, "publish", "$SYS/x"), false);
    assert.equal(await takes(broker.url, 4, "publish", "$aws/x"), true);
  });
});

for (const version of [5, 4] as const) {
  describe(`topic limits of Mosquitto, MQTT ${version}`, requireOrSkip("mosquitto"), () => {
    let broker: Mosquitto;
    before(async () => {
      broker = await startMosquitto();
    });
    after(() => broker.stop());

    for (const act of ACTS) {
      it(`${act}: accepts 201 levels, and ends the connection at 202`, async () => {
        assert.equal(await takes(broker.url, version, act, levels(201)), true);
        assert.equal(await takes(broker.url, version, act, levels(202)), false);
      });

      it(`${act}: accepts no control characters and no non-characters`, async () => {
        for (const character of ["\u0001", "\t", "\u007f", "\u009f", "\ufdd0", "\uffff", "\u{1fffe}"])
          assert.equal(await takes(broker.url, version, act, `a${character}b`), false, character);
        for (const character of ["\u00a0", "\ufeff", "\ufffd", "😀"])
          assert.equal(await takes(broker.url, version, act, `a${character}b`), true, character);
      });
    }

    it("publish: accepts nothing that begins with $SYS or $share", async () => {
      for (const topic of ["$SYS/x", "$SYSTEM", "$share/g/a", "$shared"])
        assert.equal(await takes(broker.url, version, "publish", topic), false, topic);
      for (const topic of ["$sys/x", "$aws/x", "a/$SYS"])
        assert.equal(await takes(broker.url, version, "publish", topic), true, topic);
    });

    if (version === 4) return; // MQTT 3.1.1 has no properties

    it("publish: accepts no control characters in the properties", async () => {
      for (const properties of [
        { contentType: "a\tb" },
        { responseTopic: "a\u0001" },
        { userProperties: { "a\n": "b" } },
        { userProperties: { a: "\uffff" } },
      ])
        assert.equal(await takes(broker.url, version, "publish", "a", properties), false, JSON.stringify(properties));
    });
  });
}
