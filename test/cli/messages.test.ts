/** The commands for messages against a real bridge: publish, request and tail. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { before, describe, it } from "node:test";
import { temporaryDirectory } from "../support/directories.ts";
import { embedded, mosquittoAndEmbeddedStore, scenario } from "../support/scenario.ts";
import { cliEnv, runCli, runJson, spawnCli } from "./support.ts";

describe("causeway", () => {
  const world = scenario(embedded);
  let env: Record<string, string | undefined>;
  before(() => {
    env = cliEnv(world.bridge);
  });
  const run = (args: string[], input?: string | Buffer) => runCli(args, { env, ...(input !== undefined && { input }) });
  const runForJson = (args: string[]) => runJson(args, { env });

  /** Resolves with the next message on the topic, once the device is subscribed. */
  async function listen(topic: string) {
    // Before the subscription: a retained message can arrive with its acknowledgement.
    const next = new Promise<{ payload: Buffer; retain: boolean; qos: number }>((resolve) =>
      world.device.on("message", (at, payload, { retain, qos }) => {
        if (at === topic) resolve({ payload, retain, qos });
      }),
    );
    await world.device.subscribeAsync(topic, { qos: 1 });
    return { next };
  }

  describe("publish", () => {
    it("sends the argument, and prints the outcome, the id and the topic separated by tabs", async () => {
      const { next } = await listen("publish/text");
      const { code, stdout, stderr } = await run(["publish", "publish/text", "-5.10", "--qos", "1"]);
      assert.match(stdout, /^acknowledged\tmsg_[\w-]+\tpublish\/text\n$/);
      assert.deepEqual([code, stderr], [0, ""]);
      assert.equal((await next).payload.toString(), "-5.10");
    });

    it("sends the bytes of standard input as they are", async () => {
      const { next } = await listen("publish/bytes");
      const bytes = Buffer.from([0, 1, 0xff, 0xfe, 10]);
      assert.equal((await run(["publish", "publish/bytes", "-"], bytes)).code, 0);
      assert.deepEqual((await next).payload, bytes);
    });

    it("sends a file, retained; an empty payload removes it", async () => {
      const file = join(temporaryDirectory("cli"), "config.json");
      writeFileSync(file, '{"interval":1.10}');
      assert.equal((await run(["publish", "publish/retained", "--file", file, "--retain"])).code, 0);
      const kept = await (await listen("publish/retained")).next;
      assert.deepEqual([kept.payload.toString(), kept.retain], ['{"interval":1.10}', true]);
      assert.equal((await run(["publish", "publish/retained", "", "--retain"])).code, 0);
      assert.equal((await world.bridge.api("GET", "/v1/topics/publish/retained")).status, 404);
    });

    it("stores with --durable and --send-at", async () => {
      const { next } = await listen("publish/durable");
      const stored = await runForJson(["publish", "publish/durable", "x", "--durable", "--expiry", "60"]);
      assert.equal(stored.outcome, "queued");
      assert.equal((await next).payload.toString(), "x");
      const scheduled = await runForJson(["publish", "publish/later", "x", "--send-at", "2h"]);
      assert.equal(scheduled.outcome, "scheduled");
      const inMinutes = (Date.parse(scheduled.sendAt) - Date.now()) / 60_000;
      assert.ok(inMinutes > 115 && inMinutes <= 120);
    });

    it("happens once with an idempotency key", async () => {
      const args = ["publish", "publish/once", "x", "--idempotency-key", "cli-once"];
      const [first, second] = [await runForJson(args), await runForJson(args)];
      assert.equal(first.id, second.id);
    });

    it("fails with 3 and the fields of a refusal, as JSON with --json", async () => {
      const { code, stdout, stderr } = await run(["publish", "a/#", "x"]);
      assert.deepEqual([code, stdout], [3, ""]);
      assert.match(stderr, /^causeway: invalid_topic: topic: must not contain the wildcards \+ and #\n$/);
      const inJson = await run(["publish", "a/#", "x", "--json"]);
      const error = JSON.parse(inJson.stderr);
      assert.deepEqual([error.code, error.status, error.errors[0].path], ["invalid_topic", 400, "topic"]);
    });
  });

  describe("publish --lines", () => {
    it("publishes each line exactly, reports refused ones by their number, and fails with 3", async () => {
      const { next } = await listen("lines/exact");
      const input = [
        '{"topic":"lines/a","payload":1}',
        "",
        '{"topic":"lines/exact","payload":{"n":12345678901234567890,"x":1.10}}',
        '{"topic":"a/#"}',
        "not JSON",
      ].join("\r\n");
      const { code, stdout, stderr } = await run(["publish", "--lines"], input);
      assert.equal(code, 3);
      assert.equal((await next).payload.toString(), '{"n":12345678901234567890,"x":1.10}');
      const [topic, syntax, summary] = stderr.trimEnd().split("\n");
      assert.match(topic!, /^line 4: invalid_topic: /);
      assert.match(syntax!, /^line 5: invalid_request: /);
      assert.match(summary!, /^4 messages, [\d,]+\/s, 2 refused$/);
      assert.equal(stdout, "");
    });

    it("prints a result for each line with --json, from a file of thousands", async () => {
      const file = join(temporaryDirectory("cli"), "messages.ndjson");
      writeFileSync(file, Array.from({ length: 3_000 }, (_, i) => `{"topic":"lines/${i}","qos":0}\n`).join(""));
      const { code, stdout } = await run(["publish", "--lines", "--file", file, "--json"]);
      const results = stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line));
      assert.equal(code, 0);
      assert.deepEqual(
        results.map(({ topic }) => topic),
        Array.from({ length: 3_000 }, (_, i) => `lines/${i}`),
      );
    });
  });

  describe("request", () => {
    it("prints the payload of the response", async () => {
      await world.device.subscribeAsync("rpc/+", { qos: 1 });
      const answer = (topic: string) => {
        if (topic.startsWith("rpc/")) world.device.publish(`${topic}/response`, '{"uptime":7}', { qos: 1 });
      };
      world.device.on("message", answer);
      const args = [
        "request",
        "rpc/{requestId}",
        "status",
        "--response-topic",
        "rpc/{requestId}/response",
        "--match",
        "topic",
      ];
      assert.deepEqual(await run(args), { code: 0, stdout: '{"uptime":7}\n', stderr: "" });
      assert.deepEqual((await runForJson(args)).response.payload, { uptime: 7 });
      world.device.off("message", answer);
    });

    it("fails with 3 when the device does not respond", async () => {
      const args = [
        "request",
        "rpc-silent",
        "",
        "--timeout",
        "0.2",
        "--response-topic",
        "rpc-silent/response",
        "--match",
        "first",
      ];
      const { code, stderr } = await run(args);
      assert.equal(code, 3);
      assert.match(stderr, /^causeway: request_timeout: /);
    });
  });

  describe("tail", () => {
    /** Starts a tail and publishes until its first line is there: then it is subscribed. */
    async function startTail(args: string[], topic: string) {
      const child = spawnCli(["tail", ...args], { env });
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      let isThere = false;
      const first = lines.next().then(({ value }) => {
        isThere = true;
        return value as string;
      });
      while (!isThere) {
        await world.device.publishAsync(topic, "probe", { qos: 1 });
        await Promise.race([first, new Promise((resolve) => setTimeout(resolve, 50))]);
      }
      await world.device.publishAsync(topic, "last probe", { qos: 1 });
      for (let line = await first; !line.includes("last probe"); ) line = (await lines.next()).value;
      return { child, next: async () => (await lines.next()).value as string };
    }

    it("prints time, topic and payload, and cannot change the terminal; Ctrl-C is its ordinary end", async () => {
      const { child, next } = await startTail(["tail/#"], "tail/probe");
      await world.device.publishAsync("tail/a", "\x1b[2Jone\ntwo", { qos: 1 });
      assert.match(await next(), /^\d{4}-\d{2}-\d{2}T[\d:.]+Z\ttail\/a\t\\e\[2Jone\\ntwo$/);
      await world.device.publishAsync("tail/b", Buffer.from([0xff, 0]), { qos: 1 });
      assert.match(await next(), /\ttail\/b\tbase64:\/wA=$/);
      child.kill("SIGINT");
      assert.deepEqual(await once(child, "close"), [0, null]);
    });

    it("prints events on one line with --json, payloads as they were sent", async () => {
      const { child, next } = await startTail(["tail-json/#", "--json"], "tail-json/probe");
      await world.device.publishAsync("tail-json/a", '{"big":12345678901234567890,\n"x":1.10}', { qos: 1 });
      const line = await next();
      assert.equal(JSON.parse(line).subject, "tail-json/a");
      assert.ok(line.endsWith(',"data":{"big":12345678901234567890, "x":1.10}}'), line);
      await world.device.publishAsync("tail-json/b", 'text: "quoted"', { qos: 1 });
      assert.equal(JSON.parse(await next()).data, 'text: "quoted"');
      child.kill("SIGINT");
      await once(child, "close");
    });

    it("ends quietly when its reader has gone", async () => {
      const { child } = await startTail(["tail-gone/#"], "tail-gone/probe");
      child.stdout.destroy();
      const closed = once(child, "close");
      let isClosed = false;
      void closed.then(() => {
        isClosed = true;
      });
      while (!isClosed) {
        await world.device.publishAsync("tail-gone/a", "x", { qos: 1 });
        await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 20))]);
      }
      assert.deepEqual(await closed, [0, null]);
    });
  });
});

describe("the properties of MQTT 5", mosquittoAndEmbeddedStore("5").options, () => {
  const world = scenario(mosquittoAndEmbeddedStore("5"), { device: { protocolVersion: 5 } });

  it("reach the device", async () => {
    const env = cliEnv(world.bridge);
    await world.device.subscribeAsync("five");
    const packet = new Promise<{ properties?: object }>((resolve) =>
      world.device.once("message", (_topic, _payload, each) => resolve(each)),
    );
    const options = [
      "--content-type",
      "text/plain",
      "--response-topic",
      "r",
      "--correlation-data",
      "c",
      "--property",
      "a=1",
      "--property",
      "a=2=3",
    ];
    assert.equal((await runCli(["publish", "five", "x", "--qos", "2", ...options], { env })).code, 0);
    const { contentType, responseTopic, correlationData, userProperties } = (await packet).properties as Record<
      string,
      unknown
    >;
    assert.deepEqual([contentType, responseTopic, String(correlationData)], ["text/plain", "r", "c"]);
    assert.deepEqual({ ...(userProperties as object) }, { a: ["1", "2=3"] });
  });

  it("report that no client is subscribed", async () => {
    const { code, stderr } = await runCli(["publish", "unheard", "x"], { env: cliEnv(world.bridge) });
    assert.deepEqual([code, stderr], [0, "no client is subscribed to this topic\n"]);
  });
});
