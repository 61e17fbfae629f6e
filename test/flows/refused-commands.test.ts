/** A Redis that refuses commands: no secret leaks, no request ends with 500, and the bridge recovers. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import type { Answer } from "../support/bridge.ts";
import { temporaryDirectory } from "../support/directories.ts";
import { startProcess } from "../support/processes.ts";
import { MAIN } from "../support/program.ts";
import { mosquittoAndRedis, scenario } from "../support/scenario.ts";

/** Commands taken from the user one after the other. Redis applies the change to open connections, too. */
const REFUSED = [
  ["-@write"],
  ["-@read"],
  ["-@scripting"],
  ["-evalsha"],
  ["-@blocking"],
  ["-@transaction"],
  ["-@pubsub"],
  ["-@hash"],
  ["-@stream"],
  ["-@string"],
  ["-get"],
  ["-@sortedset"],
  ["-@list"],
  ["-@set"],
  ["-@keyspace"],
  ["-@all"],
];
/** Shortest duration of a refusal, so that workers and timers run into it. */
const ROUND_MS = 800;

const STORE_PASSWORD = "st0re/p@ss word-needle";
const NEEDLES = {
  "the password of STORE_URL": STORE_PASSWORD,
  "the password of MQTT_URL": "mqtt-pass-needle-11",
  "the key for secrets": `secrets-key-needle-${"k".repeat(32)}`,
  "the payload": "payload-needle-4711",
  "a bearer token": "bearer-needle-4711",
  "a header": "header-needle-4711",
  "a signing secret": `whsec_${Buffer.from("signing-secret-needle-0815").toString("base64")}`,
  "a response topic's payload": "request-needle-4711",
};
const PAYLOAD = { text: NEEDLES["the payload"] };

function assertNone(text: string, where: string): void {
  for (const [name, needle] of Object.entries(NEEDLES)) {
    const forms = [needle, encodeURIComponent(needle), Buffer.from(needle).toString("base64").slice(0, -4)];
    for (const form of forms) {
      const at = text.indexOf(form);
      assert.ok(at < 0, `${name} stands in ${where}: ${text.slice(Math.max(0, at - 300), at + 100)}`);
    }
  }
}

const kind = mosquittoAndRedis("5");

describe("a Redis that refuses commands", kind.options, () => {
  let admin: Redis;
  let webhook: string;
  let sent = 0;
  const answers: [what: string, answer: Answer][] = [];
  const allow = (...rules: string[]) => admin.call("ACL", "SETUSER", "bridge", ...rules);
  const storeUrl = (password: string, port: number) =>
    `redis://bridge:${encodeURIComponent(password)}@127.0.0.1:${port}`;

  after(() => admin?.disconnect());
  const world = scenario(kind, {
    async env({ redis, mosquitto }) {
      admin = new Redis(redis!.url);
      await allow("on", `>${STORE_PASSWORD}`, "~*", "&*", "+@all");
      return {
        LOG_LEVEL: "trace",
        MQTT_URL: mosquitto!.url.replace("//", `//bridge:${NEEDLES["the password of MQTT_URL"]}@`),
        STORE_URL: storeUrl(STORE_PASSWORD, redis!.port),
        SECRETS_KEY: NEEDLES["the key for secrets"],
      };
    },
  });
  before(async () => {
    ({ id: webhook } = await world.bridge.register(registration("sensors/#")));
  });

  const registration = (topic: string) => ({
    url: world.receiver.url,
    topics: [topic],
    secret: NEEDLES["a signing secret"],
    headers: { "X-Api-Key": NEEDLES["a header"] },
    auth: { type: "bearer", token: NEEDLES["a bearer token"] },
    retry: { scheduleSeconds: Array(50).fill(1) },
  });

  /** Makes every kind of API call at once. */
  async function askAll(round: string): Promise<void> {
    const ask = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
      const answer = await world.bridge.api(method, path, body, headers);
      // The response that creates a secret contains it by design.
      const shown = answer.status === 201 && { ...answer.body, secret: undefined, key: undefined };
      const bytes = shown ? Buffer.from(JSON.stringify(shown)) : answer.bytes;
      answers.push([`${method} ${path} with ${round}`, { ...answer, bytes }]);
    };
    const message = { topic: "to/device", payload: PAYLOAD };
    const async = { prefer: "respond-async" };
    const key = (name: string) => ({ "idempotency-key": `${name} ${round}` });
    const request = { topic: "to/nobody", payload: NEEDLES["a response topic's payload"], timeoutSeconds: 1 };
    const id = "0199a000-0000-7000-8000-000000000000";
    const lines = `${JSON.stringify(message)}\n${JSON.stringify({ ...message, sendAt: "2099-01-01T00:00:00Z" })}\n`;
    await Promise.all([
      ask("POST", "/v1/messages", message, key("plain")),
      ask("POST", "/v1/messages", message, async),
      ask("POST", "/v1/messages", { ...message, sendAt: new Date(Date.now() + 60_000).toISOString() }, key("later")),
      ask("POST", "/v1/messages/batch", { messages: [message, message] }, { ...async, ...key("batch") }),
      ask("POST", "/v1/messages/batch", lines, { "content-type": "application/x-ndjson", ...key("lines") }),
      ask("GET", `/v1/messages/msg_${id}`),
      ask("DELETE", `/v1/messages/msg_${id}`),
      ask("PUT", "/v1/topics/kept/topic", NEEDLES["the payload"], { "content-type": "text/plain" }),
      ask("POST", "/v1/requests", request, key("request")),
      ask("POST", "/v1/requests", request, async),
      ask("GET", `/v1/requests/req_${id}`),
      ask("POST", "/v1/keys", { name: round, scopes: ["read"] }),
      ask("GET", "/v1/keys"),
      ask("DELETE", `/v1/keys/key_${id}`),
      ask("POST", "/v1/webhooks", { ...registration("other"), enabled: false }, key("webhook")),
      ask("GET", "/v1/webhooks"),
      ask("GET", `/v1/webhooks/${webhook}`),
      ask("PATCH", `/v1/webhooks/${webhook}`, { headers: { "X-Api-Key": NEEDLES["a header"] } }),
      ask("POST", `/v1/webhooks/${webhook}/test`),
      ask("GET", `/v1/webhooks/${webhook}/deliveries`),
      ask("GET", `/v1/webhooks/${webhook}/deliveries?status=failed&topic=sensors/%23`),
      ask("POST", `/v1/webhooks/${webhook}/replay`, { status: "failed", since: "2020-01-01T00:00:00Z" }),
      ask("POST", `/v1/webhooks/${webhook}/deliveries/msg_${id}/retry`),
      ask("DELETE", `/v1/webhooks/wh_${id}`),
      ask("GET", "/v1/status"),
      ask("GET", "/metrics"),
      ask("GET", "/readyz"),
    ]);
  }

  it("leaks no secret or payload, causes no 500, and works again", async (t) => {
    for (const rules of REFUSED) {
      await allow(...rules);
      const wait = delay(ROUND_MS);
      for (const qos of [1, 1, 2] as const) {
        await world.device.publishAsync("sensors/a", JSON.stringify({ ...PAYLOAD, n: sent++ }), { qos });
      }
      await askAll(rules.join(" "));
      if (rules[0] === "-@write") {
        const { body } = await world.bridge.readiness(503);
        // Within a script Redis names no code.
        assert.match(body.checks.store.detail, /NOPERM|can't run this command/);
        await world.bridge.waitForOutput(/part_failed/);
      }
      await wait;
      await allow("+@all");
    }

    // The password changes while the bridge runs: Redis refuses AUTH, and the error contains its arguments.
    await allow("resetpass", ">another");
    await admin.call("CLIENT", "KILL", "USER", "bridge");
    await world.bridge.waitForOutput(/store_lost/);
    await askAll("another password");
    await allow("resetpass", `>${STORE_PASSWORD}`);
    await world.bridge.readiness(200, 30_000);

    const last = sent++;
    await world.device.publishAsync("sensors/a", JSON.stringify({ ...PAYLOAD, n: last }), { qos: 1 });
    const isLast = ({ body }: { body: Buffer }) => JSON.parse(body.toString()).data?.n === last;
    await world.receiver.until((calls) => calls.some(isLast));
    await world.bridge.stop();

    const wrong = answers.filter(([, { status }]) => status === 500);
    assert.deepEqual(
      wrong.map(([what, { bytes }]) => `${what}: ${bytes}`),
      [],
    );
    assert.ok(!/request_failed|batch_item_failed|"crashed"/.test(world.bridge.output), "an error without a name");
    const refusals = answers.filter(([, { body }]) => body?.code === "store_unavailable");
    t.diagnostic(`${answers.length} answers, ${refusals.length} of them store_unavailable; ${sent} messages sent`);
    assert.ok(refusals.length > REFUSED.length);
    for (const [what, { bytes }] of answers) assertNone(bytes.toString(), what);
    assertNone(world.bridge.output, "the output");
    assert.match(world.bridge.output, /"type":"ReplyError"/, "errors of Redis were logged");
  });

  it("does not leak its password when it refuses the bridge at startup", async () => {
    const [wrong, dir] = [`not-${STORE_PASSWORD}`, temporaryDirectory("refused")];
    const child = startProcess(process.execPath, [...MAIN], {
      env: {
        STORE_URL: storeUrl(wrong, world.redis!.port),
        DATA_DIR: dir,
        LOG_LEVEL: "trace",
        PORT: "0",
        BROKER_PORT: "0",
      },
      cwd: dir,
    });
    const { code } = await child.exited;
    assert.equal(code, 78, child.output);
    assert.match(child.output, /WRONGPASS/);
    assertNone(child.output, "the output");
  });
});
