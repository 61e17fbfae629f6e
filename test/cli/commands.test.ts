/** The commands against a real bridge: publish, request, tail, webhooks and keys. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { before, describe, it } from "node:test";
import { PRESETS } from "../../src/presets/index.ts";
import { temporaryDirectory } from "../support/directories.ts";
import { embedded, mosquittoAndEmbeddedStore, scenario } from "../support/scenario.ts";
import { API_KEY, cliEnv, NOWHERE, runCli, runJson, spawnCli } from "./support.ts";

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

  describe("webhooks", () => {
    it("are created, listed, shown, changed, paused, resumed and deleted", async () => {
      const url = `${world.receiver.url}/cli`;
      const args = [
        "webhooks",
        "create",
        "--url",
        url,
        "--topic",
        "cli/+/up",
        "--topic",
        "cli/down",
        "--header",
        "x-a=1",
      ];
      const created = await runForJson([
        ...args,
        "--data",
        '{"concurrency": 3, "timeoutMs": 900}',
        "--timeout-ms",
        "5000",
      ]);
      assert.match(created.secret, /^whsec_/);
      assert.deepEqual([created.topics, created.concurrency, created.timeoutMs], [["cli/+/up", "cli/down"], 3, 5000]);
      const { id } = created;

      const list = await run(["webhooks", "list"]);
      assert.equal(list.stdout, `${id}\tactive\t${url}\t0\t0\t\tcli/+/up cli/down\n`);
      const ids = async (...filter: string[]) => (await run(["webhooks", "list", ...filter])).stdout;
      assert.equal(await ids("--topic", "cli/down", "--state", "active"), list.stdout);
      assert.equal(await ids("--topic", "cli/elsewhere/down"), "");
      assert.equal(await ids("--external-id", "none"), "");
      assert.match((await run(["webhooks", "get", id])).stdout, new RegExp(`^id: ${id}\nurl: ${url}\n`));
      assert.equal((await runForJson(["webhooks", "update", id, "--name", "cli", "--qos", "2"])).name, "cli");
      assert.equal((await run(["webhooks", "pause", id])).stdout, `${id} is paused\n`);
      assert.equal((await runForJson(["webhooks", "resume", id])).state, "active");
      const rotated = await run(["webhooks", "rotate-secret", id, "--grace", "60"]);
      assert.match(rotated.stdout, /^whsec_\S+\n$/);
      assert.notEqual(rotated.stdout.trim(), created.secret);
      assert.equal((await run(["webhooks", "delete", id])).stdout, `deleted ${id}\n`);
      assert.equal((await run(["webhooks", "get", id])).code, 3);
    });

    it("preview the request, and exit with 1 where none would be sent", async () => {
      const args = ["webhooks", "preview", "cli/a", '{"celsius":21.50}', "--filter", "data.celsius > 30"];
      const filtered = await run(args);
      assert.deepEqual([filtered.code, filtered.stdout], [1, "outcome: filtered\n"]);
      const sent = await runForJson([...args.slice(0, 4), "--filter", "data.celsius > 20"]);
      assert.match(sent.request.body, /"data":\{"celsius":21.50\}/);
    });

    it("preview a registered one with other fields", async () => {
      const { id } = await world.bridge.register({
        url: world.receiver.url,
        topics: ["p"],
        mode: "binary",
        headers: { a: "b" },
      });
      const { request } = await runForJson(["webhooks", "preview", "p", "x", "--webhook", id, "--reply-topic", "r"]);
      assert.deepEqual([request.url, request.headers["ce-subject"]], [world.receiver.url, "p"]);
    });

    it("creates and previews with presets, whose secrets may come from files", async () => {
      const file = join(NOWHERE, "influx-token");
      writeFileSync(file, "tok-4711\n");
      const inputs = [
        "--preset",
        "influxdb",
        "--set-file",
        `token=${file}`,
        "--set",
        "org=plant",
        "--set",
        "bucket=b=1",
      ];
      const preset = [...inputs, "--set", `server=${world.bridge.url}`, "--header", "X-Site=north"];
      const webhook = await runForJson(["webhooks", "create", "--topic", "presets/#", ...preset, "--name", "influx"]);
      assert.equal(webhook.url, `${world.bridge.url}/api/v2/write?org=plant&bucket=b%3D1&precision=ns`);
      assert.deepEqual([webhook.mode, webhook.name], ["binary", "influx"]);
      assert.deepEqual(webhook.headers, { Authorization: "********", "X-Site": "north" });
      const { request } = await runForJson(["webhooks", "preview", "presets/a b", '{"t":21.5}', ...preset]);
      assert.match(request.body, /^mqtt,topic=presets\/a\\ b t=21\.5 \d{19}$/);
      assert.equal((await run(["webhooks", "delete", webhook.id])).code, 0);
    });

    it("lists the presets, and shows one", async () => {
      const presets = (await run(["webhooks", "presets", "--json"])).stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line));
      assert.deepEqual(presets.map(({ id }) => id).sort(), PRESETS.map(({ id }) => id).sort());
      assert.match((await run(["webhooks", "presets"])).stdout, /^ntfy\tserver topic \[priority\] \[token\]\t/m);
      assert.deepEqual(
        await runForJson(["webhooks", "presets", "ntfy"]),
        presets.find(({ id }) => id === "ntfy"),
      );
    });

    it("take a document from standard input", async () => {
      const input = JSON.stringify({ url: world.receiver.url, topics: ["stdin"] });
      const { code, stdout } = await run(["webhooks", "create", "--data", "-", "--json"], input);
      assert.deepEqual([code, JSON.parse(stdout).topics], [0, ["stdin"]]);
    });
  });

  describe("keys", () => {
    it("are created, listed and deleted; standard output has the key alone", async () => {
      const created = await run([
        "keys",
        "create",
        "app",
        "--scope",
        "publish",
        "--publish",
        "app/#",
        "--rate-limit",
        "100/60",
        "--expires",
        "90d",
      ]);
      const key = created.stdout.trim();
      assert.match(key, /^cw_\S+$/);
      const id = /^(key_\S+): keep the key/.exec(created.stderr)![1]!;
      const keys = (await run(["keys", "list", "--json"])).stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line));
      const found = keys.find((each) => each.id === id);
      assert.deepEqual([found.rateLimit, found.publish], [{ max: 100, perSeconds: 60 }, ["app/#"]]);

      const asApp = { env: { ...env, CAUSEWAY_API_KEY: key } };
      assert.equal((await runCli(["publish", "app/a", "x"], asApp)).code, 0);
      const forbidden = await runCli(["publish", "other", "x"], asApp);
      assert.deepEqual([forbidden.code, /forbidden_topic/.test(forbidden.stderr)], [5, true]);
      assert.equal((await run(["keys", "delete", id])).code, 0);
      assert.equal((await runCli(["publish", "app/a", "x"], asApp)).code, 5);
    });
  });

  it("hooks are created, listed, changed and deleted; standard output has the path alone", async () => {
    const options = ["--name", "lamp", "--topic", "lamps/{query.id}", "--payload", "query.state", "--method", "GET"];
    const created = await run(["hooks", "create", ...options, "--no-durable"]);
    const path = created.stdout.trim();
    assert.match(path, /^\/in\/\S+$/);
    const id = /^(hk_\S+): /.exec(created.stderr)![1]!;
    const { status } = await fetch(`${world.bridge.url}${path}?id=7&state=on`);
    assert.equal(status, 200);
    assert.match((await run(["hooks", "list"])).stdout, new RegExp(id));
    const changed = JSON.parse((await run(["hooks", "update", id, "--data", '{"payload":null}', "--json"])).stdout);
    assert.deepEqual([changed.payload, changed.methods], [null, ["GET"]]);
    assert.equal(JSON.parse((await run(["hooks", "get", id, "--json"])).stdout).path, path);
    assert.equal((await run(["hooks", "delete", id])).code, 0);
    assert.equal((await fetch(`${world.bridge.url}${path}`)).status, 404);
  });

  it("uses the key of the bridge on this machine", async () => {
    const dataDir = temporaryDirectory("cli");
    writeFileSync(join(dataDir, "api-key"), API_KEY);
    writeFileSync(join(dataDir, ".env"), `DATA_DIR=${dataDir}\nPORT=${new URL(world.bridge.url).port}\n`);
    assert.equal((await runCli(["webhooks", "list"], { env: cliEnv(), cwd: dataDir })).code, 0);
  });

  it("uses the profile that is named", async () => {
    const folder = temporaryDirectory("config");
    mkdirSync(join(folder, "causeway"));
    const profile = `{ url: "${world.bridge.url}", apiKey: ${API_KEY} }`;
    writeFileSync(join(folder, "causeway/config.yaml"), `profiles: { here: ${profile} }`);
    const { code } = await runCli(["webhooks", "list", "--profile", "here"], {
      env: { ...cliEnv(), XDG_CONFIG_HOME: folder },
    });
    assert.equal(code, 0);
  });

  it("shows a list up to its limit, and says that there is more", async () => {
    for (const name of ["l1", "l2", "l3"]) await world.bridge.api("POST", "/v1/keys", { name, scopes: ["read"] });
    const { stdout, stderr } = await run(["keys", "list", "--limit", "2"]);
    assert.equal(stdout.trimEnd().split("\n").length, 2);
    assert.equal(stderr, "only the first 2: --limit or --all shows more\n");
    assert.ok((await run(["keys", "list", "--all"])).stdout.trimEnd().split("\n").length >= 3);
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

describe("without a bridge", () => {
  const CLOSED = { ...cliEnv(), CAUSEWAY_URL: "http://127.0.0.1:9", CAUSEWAY_API_KEY: "x" };

  it("commands fail with 4", async () => {
    const { code, stderr } = await runCli(["keys", "list"], { env: CLOSED });
    assert.equal(code, 4);
    assert.match(stderr, /^causeway: unreachable: http:\/\/127\.0\.0\.1:9 cannot be reached: /);
  });

  it("commands without a key fail with 5 before they call", async () => {
    const { code, stderr } = await runCli(["keys", "list"], { env: cliEnv() });
    assert.deepEqual([code, /no API key: pass --api-key/.test(stderr)], [5, true]);
  });

  const usage: [args: string[], pattern: RegExp, why: string][] = [
    [[], /^Usage: causeway/, "no command shows the help"],
    [["webhooks"], /^Usage: causeway webhooks/, "a group shows its help"],
    [["publsh"], /unknown command 'publsh'.*\n?.*publish/, "a misspelt command"],
    [["publish", "t", "x", "--qos", "3"], /must be 0, 1 or 2/, "a QoS that does not exist"],
    [["publish", "t"], /give a PAYLOAD/, "no payload"],
    [["publish", "t", "x", "--file", "f"], /either PAYLOAD or --file/, "two payloads"],
    [["publish", "t", "--file", join(NOWHERE, "none")], /cannot be read \(ENOENT\)/, "a file that is missing"],
    [["publish", "--lines", "t"], /--lines takes the topic/, "a topic for all lines"],
    [["publish", "--lines", "--retain"], /--lines takes retain/, "an option for all lines"],
    [["publish", "t", "x", "--send-at", "tomorrow"], /must be a time such as/, "a time in words"],
    [["webhooks", "get", ".."], /must be an id/, "dots as an id"],
    [["webhooks", "create"], /give --url, --preset or --type pull, and --topic/, "a webhook without a URL"],
    [["webhooks", "create", "--preset", "fax"], /there is no preset fax: give one of discord, /, "an unknown preset"],
    [["webhooks", "create", "--set", "a=b"], /need --preset/, "inputs without a preset"],
    [
      ["webhooks", "create", "--preset", "influxdb", "--set", "bucket=b", "--set", "server=x", "--set", "nose=1"],
      /no such input; --set server: must look like http.*; --set org: is required .*; --set token: is required/,
      "inputs that are missing, wrong or unknown",
    ],
    [["webhooks", "create", "--data", "{"], /--data is not valid JSON/, "JSON that is none"],
    [["webhooks", "update", "wh_1"], /at least one field/, "no change"],
    [["hooks", "create", "--name", "a"], /give --name and --topic/, "a hook without a topic"],
    [["keys", "create", "a"], /--scope/, "a key without scopes"],
    [["keys", "create", "a", "--scope", "read", "--rate-limit", "5"], /such as 100\/60/, "half a rate limit"],
    [["tail"], /missing required argument 'filter'/, "no filter"],
    [["keys", "list", "--profile", "none"], /there is no profile none/, "a profile that is missing"],
  ];
  for (const [args, pattern, why] of usage) {
    it(`usage: ${why}`, async () => {
      const { code, stdout, stderr } = await runCli(args, { env: CLOSED });
      assert.deepEqual([code, stdout], [2, ""]);
      assert.match(stderr.replace(/^causeway: /, ""), pattern);
    });
  }

  it("a usage error is JSON with --json", async () => {
    const { stderr } = await runCli(["publish", "--json", "t"], { env: CLOSED });
    assert.equal(JSON.parse(stderr).code, "usage");
  });
});
