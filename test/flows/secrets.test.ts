/** Secrets with the real process: the content of the store, of responses and of the log. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Redis } from "ioredis";
import { type Answer, startTestBridge, type TestBridge } from "../support/bridge.ts";
import { makeAuthority, needsOpenssl } from "../support/certificates.ts";
import { temporaryDirectory } from "../support/directories.ts";
import { startProcess } from "../support/processes.ts";
import { MAIN } from "../support/program.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { requireOrSkip } from "../support/requirements.ts";

const [OLD, NEW] = [`old-${"k".repeat(40)}`, `new-${"k".repeat(40)}`];

/** Returns the whole content of a Redis as text. A key that goes while it is read is left out. */
async function dumpRedis(url: string): Promise<string> {
  const redis = new Redis(url);
  try {
    const values: unknown[] = [];
    for (const key of await redis.keys("*")) values.push(key, await readKey(redis, key));
    return JSON.stringify(values);
  } finally {
    redis.disconnect();
  }
}

async function readKey(redis: Redis, key: string): Promise<unknown> {
  const type = await redis.type(key);
  const read: Record<string, () => Promise<unknown>> = {
    string: () => redis.get(key),
    hash: () => redis.hgetall(key),
    list: () => redis.lrange(key, 0, -1),
    set: () => redis.smembers(key),
    zset: () => redis.zrange(key, "0", "-1"),
    stream: () => redis.xrange(key, "-", "+"),
    // The bridge removes keys, and others expire, between KEYS and TYPE.
    none: async () => undefined,
  };
  assert.ok(read[type], `${key} is of the unknown type ${type}`);
  return read[type]();
}

/** Returns the bytes of the database and its log. */
function dumpFiles(dir: string): string {
  const files = readdirSync(dir).filter((name) => name.startsWith("causeway.db"));
  assert.ok(files.includes("causeway.db"), files.join());
  return files.map((file) => readFileSync(join(dir, file), "latin1")).join("\n");
}

for (const kind of ["embedded store", "Redis"] as const) {
  const needed = kind === "Redis" ? requireOrSkip("redis-server", "openssl") : needsOpenssl;
  describe(`secrets: ${kind}`, needed, () => {
    let redis: TestRedis | undefined;
    let bridge: TestBridge;
    let receiver: Receiver;
    let dataDir: string;
    const hidden = new Map<string, string>();
    const env = (secretsKey?: string) => ({
      DATA_DIR: dataDir,
      LOG_LEVEL: "trace",
      PUBLIC_URL: "https://causeway.example.com",
      SECRETS_KEY: secretsKey,
      STORE_URL: redis?.url,
    });
    const hide = (name: string, value: string) => {
      hidden.set(name, value);
      return value;
    };
    const assertNone = (text: string, where: string) => {
      for (const [name, value] of hidden) {
        // The forms of the secret in JSON and in Basic authentication.
        const forms = [value, JSON.stringify(value).slice(1, -1), Buffer.from(value).toString("base64").slice(0, -4)];
        for (const form of forms) assert.ok(!text.includes(form), `${name} stands in ${where}`);
      }
    };
    const dump = () => (redis ? dumpRedis(redis.url) : dumpFiles(dataDir));
    const deliver = async (topic: string) => {
      const arrived = () => receiver.calls.filter(({ path }) => path === `/${topic}`);
      const before = arrived().length;
      await bridge.readiness(200);
      await bridge.api("PUT", `/v1/topics/${topic}`, "1", { "content-type": "text/plain" });
      await receiver.until(() => arrived().length > before);
      return arrived().at(-1)!;
    };

    before(async () => {
      redis = kind === "Redis" ? await startRedis() : undefined;
      dataDir = temporaryDirectory("secrets");
      receiver = await startReceiver();
      receiver.answer = ({ path, headers }) => {
        const callback = headers["webhook-request-callback"];
        if (typeof callback === "string") hide("token", new URL(callback).searchParams.get("token")!);
        if (path === "/token")
          return { status: 200, body: JSON.stringify({ access_token: hide("access", "tok-77-8") }) };
        return 204;
      };
      bridge = await startTestBridge(env(OLD));
    });
    after(async () => {
      if (bridge?.running) await bridge.stop();
      await receiver.close();
      await redis?.stop();
    });

    it("appear only in the response that creates them, not in other responses, the store or the log", async () => {
      const answers: Answer[] = [];
      const ask = async (...args: Parameters<TestBridge["api"]>) => {
        const answer = await bridge.api(...args);
        answers.push(answer);
        return answer;
      };
      const make = async (name: string, webhook: object) => {
        const body = { url: `${receiver.url}/${name}`, topics: [name], ...webhook };
        const made = await bridge.api("POST", "/v1/webhooks", body, { "idempotency-key": name });
        assert.equal(made.status, 201, made.bytes.toString());
        hide(`secret of ${name}`, made.body.secret);
        answers.push({ ...made, bytes: Buffer.from(JSON.stringify({ ...made.body, secret: undefined })) });
        return made.body.id as string;
      };
      const client = makeAuthority("Ours").issue("client");
      hide("client key", client.key);
      hide("line of the client key", client.key.split("\n")[1]!);
      const basic = { type: "basic", username: "u", password: hide("password", "pass-4711-word") };
      const oauth2 = {
        ...{ type: "oauth2", tokenUrl: `${receiver.url}/token`, clientId: "c" },
        clientSecret: hide("client secret", "client-4711-secret"),
      };
      const ids = [
        await make("basic", {
          auth: basic,
          headers: { "X-Api-Key": hide("api key", "api-4711-key"), "X-Own": "shown" },
        }),
        await make("bearer", { auth: { type: "bearer", token: hide("bearer", "bearer-4711-token") } }),
        await make("oauth2", { auth: oauth2 }),
        await make("mtls", { url: "https://127.0.0.1:1/", auth: { type: "mtls", ...client } }),
        await make("verify", { verify: true }),
      ];
      assert.ok(hidden.has("token"));

      const { headers } = await deliver("basic");
      assert.equal(headers.authorization, `Basic ${Buffer.from("u:pass-4711-word").toString("base64")}`);
      assert.equal(headers["x-api-key"], "api-4711-key");
      assert.equal((await deliver("bearer")).headers.authorization, "Bearer bearer-4711-token");
      assert.equal((await deliver("oauth2")).headers.authorization, "Bearer tok-77-8");

      await ask("GET", "/v1/webhooks");
      for (const id of ids) {
        const { body } = await ask("GET", `/v1/webhooks/${id}`);
        assert.equal("secret" in body, false);
        // Sends the response back: masked values leave the stored ones unchanged.
        assert.equal((await ask("PATCH", `/v1/webhooks/${id}`, { headers: body.headers })).status, 200);
        await ask("GET", `/v1/webhooks/${id}/deliveries`);
        const { secret, ...rotated } = (await bridge.api("POST", `/v1/webhooks/${id}/rotate-secret`)).body;
        hide(`new secret of ${id}`, secret);
        answers.push({ ...answers[0]!, bytes: Buffer.from(JSON.stringify(rotated)) });
      }
      const [first] = ids;
      assert.deepEqual((await ask("GET", `/v1/webhooks/${first}`)).body.headers, {
        "X-Api-Key": "********",
        "X-Own": "shown",
      });
      assert.equal((await deliver("basic")).headers["x-api-key"], "api-4711-key", "the mask has kept the value");
      for (const wrong of [
        { auth: { ...basic, username: "a:b" } },
        { auth: { ...oauth2, scope: "  " } },
        { auth: { ...basic, type: "bearer" } },
        { headers: { "X Api Key": "api-4711-key" } },
        { secret: "whsec_pass-4711-word" },
        { headers: { Authorization: "pass-4711-word" } },
        { headers: { "X-Other-Key": "********" } },
      ]) {
        const answer = await ask("PATCH", `/v1/webhooks/${first}`, wrong);
        assert.equal(answer.status, 400, JSON.stringify(wrong));
      }
      for (const path of ["/v1/status", "/metrics"]) await ask("GET", path);

      assertNone(answers.map(({ bytes }) => bytes.toString()).join("\n"), "an answer");
      if (!redis) await bridge.stop();
      const stored = await dump();
      assert.match(stored, /sealed/);
      assert.match(stored, /verify/, "the dump holds the records");
      assertNone(stored, "the store");
      if (bridge.running) await bridge.stop();
      assertNone(bridge.output, "the log");
      assert.ok(!`${bridge.output}${stored}`.includes(OLD), "the key itself");
    });

    it("end the start with exit code 78 when no key decrypts them", async () => {
      // Without SECRETS_KEY the embedded store generates a key, which differs.
      for (const secretsKey of [undefined, NEW]) {
        const child = startProcess(process.execPath, [...MAIN], {
          env: { ...env(secretsKey), API_KEY: "k".repeat(20), PORT: "0", BROKER_PORT: "0" },
          cwd: dataDir,
        });
        const { code } = await child.exited;
        assert.equal(code, 78, child.output);
        assert.match(child.output, /Causeway cannot start: SECRETS_KEY.*webhook wh_/);
        assertNone(child.output, "the output");
      }
    });

    it("are encrypted with a new key at the start, so that the old key can go", async () => {
      bridge = await startTestBridge(env(`${NEW},${OLD}`));
      assert.equal((await deliver("bearer")).headers.authorization, "Bearer bearer-4711-token");
      await bridge.stop();
      bridge = await startTestBridge(env(NEW));
      assert.equal((await deliver("bearer")).headers.authorization, "Bearer bearer-4711-token");
      const { body } = await bridge.api("GET", "/v1/status");
      assert.deepEqual(body.store.warnings, []);
    });
  });
}

describe("secrets without a key: Redis", requireOrSkip("redis-server"), () => {
  it("are stored in plain text, with a warning, until there is a key", async () => {
    const redis = await startRedis();
    const common = { STORE_URL: redis.url, DATA_DIR: temporaryDirectory("secrets") };
    const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let bridge = await startTestBridge(common);
    try {
      await bridge.api("POST", "/v1/webhooks", { url: "http://127.0.0.1:1/", topics: ["t"], secret });
      const { body } = await bridge.api("GET", "/v1/status");
      assert.match(body.store.warnings.join(), /SECRETS_KEY is not set/);
      await bridge.stop();
      assert.match(bridge.output, /store_warning/);
      assert.ok((await dumpRedis(redis.url)).includes(secret));

      bridge = await startTestBridge({ ...common, SECRETS_KEY: OLD });
      assert.deepEqual((await bridge.api("GET", "/v1/status")).body.store.warnings, []);
      assert.ok(!(await dumpRedis(redis.url)).includes(secret));
    } finally {
      await bridge.stop();
      await redis.stop();
    }
  });
});
