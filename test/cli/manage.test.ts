/** The commands that manage webhooks, keys and hooks, against a real bridge. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { PRESETS } from "../../src/presets/index.ts";
import { temporaryDirectory } from "../support/directories.ts";
import { embedded, scenario } from "../support/scenario.ts";
import { API_KEY, cliEnv, NOWHERE, runCli, runJson } from "./support.ts";

describe("causeway", () => {
  const world = scenario(embedded, { device: false });
  let env: Record<string, string | undefined>;
  before(() => {
    env = cliEnv(world.bridge);
  });
  const run = (args: string[], input?: string | Buffer) => runCli(args, { env, ...(input !== undefined && { input }) });
  const runForJson = (args: string[]) => runJson(args, { env });

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
