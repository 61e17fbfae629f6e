/** `causeway apply` and `causeway export` with a real bridge. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import { stringify } from "yaml";
import { temporaryDirectory } from "../support/directories.ts";
import { embedded, scenario } from "../support/scenario.ts";
import { cliEnv, runCli, spawnCli } from "./support.ts";

describe("configuration as code", () => {
  const world = scenario(embedded);
  const run = (args: string[], input?: string, env = {}) =>
    runCli(args, { env: { ...cliEnv(world.bridge), ...env }, ...(input !== undefined && { input }) });
  const listed = async () => {
    const { body } = await world.bridge.api("GET", "/v1/webhooks?limit=250");
    return body.items as { id: string; externalId?: string; topics: string[]; updatedAt: string }[];
  };
  const webhook = (n: number, fields: object = {}) => ({
    ...{ kind: "Webhook", externalId: `web-${n}`, url: `${world.receiver.url}/${n}`, topics: [`t/${n % 7}/#`] },
    ...fields,
  });
  const exportedWebhooks = async () => {
    const { stdout } = await run(["export", "--json"]);
    const documents = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { kind: string });
    return documents.filter(({ kind }) => kind === "Webhook");
  };
  const yaml = (documents: object[]) => documents.map((one) => `---\n${stringify(one)}`).join("");

  /** Resolves when `apply` has made so many changes: it names each one before it makes it. */
  const announced = async ({ stdout }: ReturnType<typeof spawnCli>, count: number) => {
    let seen = 0;
    for await (const line of createInterface({ input: stdout })) {
      if (/^\+ /.test(line) && ++seen > count) return;
    }
    assert.fail(`it ended after ${seen} changes`);
  };

  it("exports what applies without a difference, with 200 webhooks", async () => {
    const special = [
      { filter: "data.x > 1", transform: "data", name: "A: name", ordering: "topic", concurrency: 3 },
      { auth: { type: "basic", username: "u", password: `\${env:PASSWORD}` }, headers: { "X-Key": "k", Plain: "p" } },
      { batch: { maxSize: 10 }, retry: { scheduleSeconds: [1] }, enabled: false, mode: "structured", qos: 2 },
      { rateLimit: { max: 5, perSeconds: 1 }, method: "PUT", secret: `whsec_${"A".repeat(32)}` },
      { replyTopic: "replies/a", events: ["webhook.failing"], retained: "skip", timeoutMs: 1_000 },
    ];
    const documents = Array.from({ length: 200 }, (_, n) => webhook(n, special[n] ?? {}));
    const key = { kind: "Key", name: "viewer", scopes: ["read"], read: ["t/#"], rateLimit: { max: 5, perSeconds: 1 } };
    const applied = await run(["apply", "-f", "-"], yaml([...documents, key]), { PASSWORD: "p4ss" });
    assert.equal(applied.code, 0, applied.stderr);
    assert.equal(applied.stdout.match(/^\+ Webhook /gm)!.length, 200);
    assert.match(applied.stdout, /^\+ Key viewer\n {4}key: cw_/m);
    assert.equal(applied.stdout.match(/secret: whsec_/g)!.length, 199, "one has a secret of its own");
    const named = await world.bridge.register({ url: `${world.receiver.url}/x`, topics: ["x"] });

    const before = await listed();
    const exported = await run(["export"]);
    assert.ok(!exported.stdout.includes("p4ss"));
    assert.match(exported.stdout, new RegExp(`kind: Webhook\nid: ${named.id}\n`));
    for (const flag of [["--dry-run"], []]) {
      const again = await run(["apply", "-f", "-", ...flag], exported.stdout);
      assert.deepEqual([again.code, again.stdout], [0, "no differences (documents: 202)\n"], again.stderr);
    }
    assert.deepEqual(await listed(), before);
    // The documents themselves make no difference either, although they contain secrets.
    const repeated = await run(["apply", "-f", "-"], yaml([...documents, key]), { PASSWORD: "another" });
    assert.equal(repeated.stdout, "no differences (documents: 201)\n");
    assert.deepEqual(await listed(), before);
  });

  it("changes exactly what differs", async () => {
    const folder = temporaryDirectory("apply");
    const put = (documents: object[]) => writeFileSync(join(folder, "all.yaml"), yaml(documents));
    const documents = Array.from({ length: 5 }, (_, n) => webhook(1_000 + n));
    put(documents);
    assert.equal((await run(["apply", "-f", folder])).code, 0);
    const before = await listed();

    put([
      documents[0]!,
      { ...documents[1], topics: ["changed/#"], name: "New" },
      ...documents.slice(2, 4),
      webhook(1_900),
    ]);
    const dry = await run(["apply", "-f", folder, "--dry-run"]);
    assert.equal(dry.code, 1);
    const lines = dry.stdout.split("\n");
    assert.deepEqual(lines.slice(0, 4).sort(), [
      '    name: none → "New"',
      `    topics: ["t/${1_001 % 7}/#"] → ["changed/#"]`,
      "+ Webhook web-1900",
      "~ Webhook web-1001",
    ]);
    assert.deepEqual(await listed(), before);

    const { code, stdout } = await run(["apply", "-f", folder, "--json"]);
    assert.equal(code, 0);
    const { changes } = JSON.parse(stdout) as { changes: { identity: string; action: string; fields: object }[] };
    assert.deepEqual(
      changes.map(({ identity, action, fields }) => [identity, action, Object.keys(fields).sort()]),
      [
        ["web-1001", "update", ["name", "topics"]],
        ["web-1900", "create", []],
      ],
    );
    const after = await listed();
    const changed = after.filter((one) => !before.some((old) => old.id === one.id && old.updatedAt === one.updatedAt));
    assert.deepEqual(changed.map(({ externalId }) => externalId).sort(), ["web-1001", "web-1900"]);
    assert.equal((await run(["apply", "-f", folder, "--dry-run"])).code, 0);
  });

  it("ends in the same state when it is killed and run again", async () => {
    const documents = Array.from({ length: 60 }, (_, n) => webhook(2_000 + n));
    const child = spawnCli(["apply", "-f", "-"], { env: cliEnv(world.bridge) });
    child.stdin.end(yaml(documents));
    await announced(child, 10);
    const closed = once(child, "close");
    child.kill("SIGKILL");
    assert.deepEqual(await closed, [null, "SIGKILL"], "it was killed before its end");
    assert.equal((await run(["apply", "-f", "-"], yaml(documents))).code, 0);
    assert.equal((await run(["apply", "-f", "-", "--dry-run"], yaml(documents))).code, 0);
  });

  it("has hooks, whose path stays", async () => {
    const { bridge } = world;
    const hooks = async () => (await bridge.api("GET", "/v1/hooks")).body.items as Record<string, unknown>[];
    const hook = (name: string, fields: object = {}) => ({
      ...{ kind: "Hook", externalId: name, name, topic: `hooks/{query.id}` },
      ...fields,
    });
    const verify = { type: "hmac", header: "X-Sig", secret: `\${env:SENDER_KEY}`, encoding: "base64" };
    const documents = [
      hook("plain"),
      hook("full", { verify, payload: "{ 'a': body.b }", qos: 2, retain: true, methods: ["GET", "PUT"] }),
      hook("limited", { durable: false, rateLimit: { max: 5, perSeconds: 1 } }),
    ];
    const env = { SENDER_KEY: "4711-of-the-sender" };
    const applied = await run(["apply", "-f", "-"], yaml(documents), env);
    assert.match(applied.stdout, /^\+ Hook plain\n\+ Hook full\n\+ Hook limited\n$/, applied.stderr);
    const { body: foreign } = await bridge.api("POST", "/v1/hooks", { name: "x", topic: "x" });
    const before = await hooks();
    const exported = await run(["export"]);
    assert.ok(!exported.stdout.includes(env.SENDER_KEY) && !exported.stdout.includes("/in/"));
    assert.match(exported.stdout, new RegExp(`kind: Hook\nid: ${foreign.id}\n`));
    for (const [text, more] of [[exported.stdout], [yaml(documents), { SENDER_KEY: "another" }]] as const)
      assert.match((await run(["apply", "-f", "-"], text, more)).stdout, /^no differences/);
    assert.deepEqual(await hooks(), before);

    const changed = [hook("plain", { topic: "other" }), { kind: "Hook", id: foreign.id, name: "y", topic: "x" }];
    const { stdout } = await run(["apply", "-f", "-"], yaml([...changed, ...documents.slice(1)]), env);
    assert.match(stdout, /^~ Hook plain\n {4}topic: "hooks\/\{query.id\}" → "other"$/m);
    const after = await hooks();
    assert.deepEqual(
      after.map(({ path }) => path),
      before.map(({ path }) => path),
    );
    const missing = await run(["apply", "-f", "-"], yaml([{ ...changed[1], id: "hk_none" }]));
    assert.deepEqual(
      [missing.code, missing.stderr],
      [2, "causeway: there is no hook hk_none; a new one needs an externalId\n"],
    );

    // A copy on another bridge, begun twice, is the same as this one.
    await Promise.all(after.map(({ id }) => bridge.api("DELETE", `/v1/hooks/${id}`)));
    const child = spawnCli(["apply", "-f", "-"], { env: { ...cliEnv(bridge), ...env } });
    const many = Array.from({ length: 40 }, (_, n) => hook(`many-${n}`));
    child.stdin.end(yaml(many));
    await announced(child, 10);
    const closed = once(child, "close");
    child.kill("SIGKILL");
    assert.deepEqual(await closed, [null, "SIGKILL"], "it was killed before its end");
    assert.equal((await run(["apply", "-f", "-"], yaml(many))).code, 0);
    assert.equal((await run(["apply", "-f", "-", "--dry-run"], yaml(many))).code, 0);
    const pruned = await run(["apply", "-f", "-", "--prune"], yaml([...many.slice(1), ...(await exportedWebhooks())]));
    assert.equal(pruned.stdout, "- Hook many-0\n", pruned.stderr);
  });

  it("refuses a changed key before it changes anything", async () => {
    const key = { kind: "Key", name: "fixed", scopes: ["read"], read: ["a"] };
    await run(["apply", "-f", "-"], yaml([key]));
    const { code, stdout, stderr } = await run(["apply", "-f", "-"], yaml([webhook(3_000), { ...key, read: ["b"] }]));
    assert.equal(code, 1);
    assert.match(stdout, /^! Key fixed\n {4}read: \["a"\] → \["b"\]$/m);
    assert.match(stderr, /nothing was changed/);
    assert.ok(!(await listed()).some(({ externalId }) => externalId === "web-3000"));
  });

  it("needs the scope admin for keys only", async () => {
    const input = { name: "webhooks only", scopes: ["webhooks"], read: ["#"] };
    const { key } = (await world.bridge.api("POST", "/v1/keys", input)).body as { key: string };
    const env = { CAUSEWAY_API_KEY: key };
    const exported = await run(["export"], undefined, env);
    assert.equal(exported.code, 0);
    assert.ok(!exported.stdout.includes("kind: Key"));
    assert.match(exported.stderr, /without hooks, [\s\S]*without the API keys/);
    const again = await run(["apply", "-f", "-"], exported.stdout, env);
    assert.match(again.stdout, /^no differences/, again.stderr);
    const refused = await run(["apply", "-f", "-"], yaml([{ kind: "Key", name: "x", scopes: ["read"] }]), env);
    assert.equal(refused.code, 5);
  });

  it("reports what the API refuses, by name", async () => {
    const { code, stderr } = await run(["apply", "-f", "-"], yaml([webhook(3_001, { topics: ["a/#/b"] })]));
    assert.equal(code, 3);
    assert.match(stderr, /invalid_topic_filter: Webhook web-3001: topics/);
  });

  it("deletes what has no document only with --prune", async () => {
    const kept = webhook(1_000);
    const unnamed = (await listed()).filter(({ externalId }) => externalId === undefined).length;
    assert.equal((await run(["apply", "-f", "-"], yaml([kept]))).stdout, "no differences (documents: 1)\n");
    const none = await run(["apply", "-f", "-", "--prune"], "");
    assert.equal(none.code, 2);
    const { code } = await run(["apply", "-f", "-", "--prune"], yaml([kept]));
    assert.equal(code, 0);
    const left = await listed();
    assert.deepEqual(
      left.flatMap(({ externalId }) => externalId ?? []),
      ["web-1000"],
    );
    assert.equal(left.length, unnamed + 1);
  });
});
