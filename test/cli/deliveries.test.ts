/** `causeway deliveries`: lists, one delivery, retry and replay. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { eventually } from "../support/eventually.ts";
import { embedded, scenario } from "../support/scenario.ts";
import { cliEnv, runCli, runJson } from "./support.ts";

describe("causeway deliveries", () => {
  const world = scenario(embedded);
  let env: Record<string, string | undefined>;
  let webhookId: string;
  let messageId: string;
  const run = (args: string[]) => runCli(["deliveries", ...args], { env });

  /** Two deliveries that are given up after their only attempt. */
  before(async () => {
    env = cliEnv(world.bridge);
    world.receiver.answer = () => 500;
    const webhook = { url: world.receiver.url, topics: ["cli/#"], retry: { scheduleSeconds: [] } };
    ({ id: webhookId } = await world.bridge.register(webhook));
    await world.device.publishAsync("cli/first", "1", { qos: 1 });
    await world.device.publishAsync("cli/second", "2", { qos: 1 });
    const list = await eventually(
      () => world.bridge.api("GET", `/v1/deliveries?status=failed&topic=cli/%23`),
      ({ body }) => body.items.length === 2,
    );
    messageId = list.body.items.find((each: { topic: string }) => each.topic === "cli/first").messageId;
  });

  it("list what failed, with its last error", async () => {
    const { code, stdout } = await run(["list", "--status", "failed", "--since", "1h", "--topic", "cli/first"]);
    assert.equal(code, 0);
    const [message, status, topic, tries, last, , webhook] = stdout.trimEnd().split("\t");
    assert.deepEqual(
      [message, status, topic, tries, last, webhook],
      [messageId, "failed", "cli/first", "1", "500", webhookId],
    );
  });

  it("list NDJSON, and nothing of another webhook", async () => {
    const { stdout } = await run(["list", "--json", "--status", "failed"]);
    const topics = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).topic);
    assert.deepEqual(topics.sort(), ["cli/first", "cli/second"]);
    assert.equal((await run(["list", "--webhook", "wh_019a3c5e-7b20-7c11-9d54-0f6f1f0f8a11"])).stdout, "");
  });

  it("show one with its message and attempts", async () => {
    const detail = await runJson(["deliveries", "get", webhookId, messageId], { env });
    assert.deepEqual([detail.message.payload, detail.attemptLog[0].statusCode], ["1", 500]);
    assert.match((await run(["get", webhookId, messageId])).stdout, /attemptLog:\n {2}- at: /);
  });

  it("retry one", async () => {
    world.receiver.answer = () => 204;
    const { code, stdout } = await run(["retry", webhookId, messageId]);
    assert.deepEqual([code, /^msg_\S+ is (pending|active|succeeded)\n$/.test(stdout)], [0, true]);
    await world.receiver.until((calls) => calls.some(({ headers }) => headers["webhook-id"] === messageId));
  });

  it("are counted with --dry-run, and not replayed", async () => {
    const [dry, json] = [
      await run(["replay", webhookId, "--dry-run"]),
      ["deliveries", "replay", webhookId, "--dry-run"],
    ];
    const { count } = await runJson(json, { env });
    assert.ok(count > 0);
    assert.deepEqual([dry.code, dry.stdout], [0, `${count} deliveries\n`]);
    const left = await world.bridge.api("GET", `/v1/webhooks/${webhookId}/deliveries?status=failed`);
    assert.equal(left.body.items.length, count);
  });

  it("replay the others, and wait for the end", async () => {
    const before = world.receiver.calls.length;
    const { code, stdout } = await run(["replay", webhookId, "--since", "1h"]);
    assert.deepEqual([code, stdout], [0, "finished: 1 of 1 deliveries\n"]);
    await world.receiver.until((calls) => calls.length > before);
  });

  it("replay without waiting", async () => {
    const replay = await runJson(["deliveries", "replay", webhookId, "--status", "succeeded", "--no-wait"], { env });
    assert.match(replay.id, /^rpl_/);
  });
});
