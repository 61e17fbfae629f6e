/** `causeway listen` against a real bridge. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { Webhook as Verifier } from "standardwebhooks";
import { embedded, scenario } from "../support/scenario.ts";
import { cliEnv, runCli, startListening } from "./support.ts";

const SECRET = `whsec_${Buffer.alloc(24, 7).toString("base64")}`;

describe("causeway listen", () => {
  const world = scenario(embedded);
  const publish = (topic: string, payload: string) => world.device.publishAsync(topic, payload, { qos: 1 });

  const start = (topic: string, ...args: string[]) => startListening(world.bridge, topic, ...args);

  it("prints each event, keeps what comes while it is away, and reuses its webhook", async () => {
    const first = await start("listen/a/#");
    await publish("listen/a/1", '{"n":1.10}');
    assert.match(await first.next(), /\tlisten\/a\/1\t\{"n":1\.10\}$/);
    // Acknowledged when the next one is printed.
    await publish("listen/a/1", "2");
    assert.match(await first.next(), /\t2$/);
    await first.end();
    await publish("listen/a/2", "while away");
    const second = await start("listen/a/#", "--count", "1", "--delete");
    assert.equal(second.webhookId, first.webhookId);
    const closed = once(second.child, "close");
    const printed = [await second.next()];
    assert.deepEqual((await closed)[0], 0);
    // The last event of the first run was printed, and may not have been acknowledged.
    assert.ok(printed[0]!.endsWith("while away") || printed[0]!.endsWith("\t2"), printed[0]);
    assert.equal((await world.bridge.api("GET", `/v1/webhooks/${first.webhookId}`)).status, 404);
  });

  it("forwards as the bridge does, and retries until a 2xx, also after a restart of the bridge", async () => {
    const { receiver, bridge } = world;
    let refusals = 2;
    receiver.answer = () => (refusals-- > 0 ? 500 : 200);
    const listening = await start("listen/f/#", "--forward-to", receiver.url, "--secret", SECRET);
    await publish("listen/f/1", '{"n":12345678901234567890}');
    await receiver.untilCalled(3);
    await receiver.until((calls) => calls.length >= 1);
    const [call] = receiver.calls;
    assert.match(call!.body.toString(), /"data":\{"n":12345678901234567890\}\}$/);
    new Verifier(SECRET).verify(call!.body.toString(), call!.headers as Record<string, string>);
    await bridge.kill();
    await bridge.start();
    if (!world.device.connected) await new Promise<void>((resolve) => world.device.once("connect", () => resolve()));
    await publish("listen/f/2", "after");
    await receiver.until((calls) => calls.some(({ body }) => body.toString().includes("after")));
    await listening.end();
  });

  it("fails with 5 for a refused key, and with 2 without a topic", async () => {
    const env = { ...cliEnv(world.bridge), CAUSEWAY_API_KEY: "wrong" };
    assert.equal((await runCli(["listen", "--topic", "a"], { env })).code, 5);
    assert.equal((await runCli(["listen"], { env })).code, 2);
  });
});
