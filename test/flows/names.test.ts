/**
 * Stored and public names: the data of a running installation, dashboards and log searches depend on them, so a change
 * needs a decision and must never be the side effect of a rename. `UPDATE_NAMES=1` rewrites the list.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { ROLES } from "../../src/config/variables.ts";
import { eventually } from "../support/eventually.ts";
import { mosquittoAndRedis, type Scenario, startScenario } from "../support/scenario.ts";
import { logEvents, sourceTexts, sqlNames } from "../support/source-names.ts";

const FILE = fileURLToPath(new URL("../fixtures/names.json", import.meta.url));
const update = process.env.UPDATE_NAMES === "1";
const pinned = JSON.parse(readFileSync(FILE, "utf8")) as Record<string, unknown>;

function assertPinned(name: string, found: unknown): void {
  if (!update) {
    assert.deepEqual(found, pinned[name]);
    return;
  }
  pinned[name] = found;
  writeFileSync(FILE, `${JSON.stringify(pinned, undefined, 2)}\n`);
}

/** Short-lived names that a read of the store may miss: the test looks for them in the source instead. */
const TRANSIENT = /^causeway:(l:retention-|c:tail-|c:snapshot-|[ri]:replays-running)/;
const TRANSIENT_TEXTS = ["`retention-${", "`tail-${", "`snapshot-${", "`portal-${", '"replays-running"'];

/** Replaces ids, hashes and instance names, which differ from run to run. */
function shape(text: string): string {
  return text
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "<uuid>")
    .replaceAll(/(?<=[:-])[\w-]{22}(?=$|:)/g, "<hash>")
    .replaceAll(/[0-9a-f]{32,}/g, "<hash>")
    .replaceAll(/(?<=canary-)[\w-]+/g, "<instance>")
    .replaceAll(/(?<=:[sw]:[a-z]+-)\d+/g, "<n>");
}

/** Returns the member names of a JSON object. */
function members(json: string): string[] {
  const value = JSON.parse(json) as Record<string, unknown>;
  if (value === null || typeof value !== "object" || Array.isArray(value)) return [];
  return Object.keys(value);
}

const sorted = (names: Iterable<string>) => [...new Set(names)].sort();

/** Uses every feature that stores data. */
async function useEverything({ bridge, device, receiver }: Scenario): Promise<void> {
  const broken = await bridge.register({
    url: `${receiver.url}/broken`,
    topics: ["broken/#"],
    externalId: "pinned",
    retry: { scheduleSeconds: [] },
  });
  await bridge.register({ type: "pull", topics: ["pulled"] });
  await device.publishAsync("kept/1", "1", { qos: 1, retain: true });
  const webhook = await bridge.register({
    url: receiver.url,
    topics: ["kept/+", "ask/+"],
    ordering: "topic",
    retained: "deliver",
    headers: { "x-secret": "s" },
    replyTopic: "replies/{topic}",
  });
  const userProperties = { trace: "1" };
  const properties = { userProperties, contentType: "text/plain", responseTopic: "re", correlationData: Buffer.of(1) };
  for (let i = 0; i < 12; i++) await device.publishAsync("broken/1", String(i), { qos: 2, properties });
  // All at once, so that one flush holds several messages of one topic.
  await Promise.all(
    Array.from({ length: 20 }, (_, i) => device.publishAsync("ask/1", String(i), { qos: 1, properties })),
  );
  const async = { prefer: "respond-async" };
  const later = new Date(Date.now() + 3_600_000).toISOString();
  await bridge.api("POST", "/v1/messages", { topic: "later", payload: 1, sendAt: later }, { "idempotency-key": "k1" });
  await bridge.api("POST", "/v1/messages", { topic: "now", payload: 1 }, async);
  await device.subscribeAsync("ask-device");
  device.on("message", (topic, _payload, packet) => {
    const { responseTopic, correlationData } = packet.properties ?? {};
    if (topic === "ask-device" && responseTopic)
      device.publish(responseTopic, "yes", { qos: 1, properties: { ...(correlationData && { correlationData }) } });
  });
  const request = await bridge.api(
    "POST",
    "/v1/requests",
    { topic: "ask-device", payload: 1, expirySeconds: 600 },
    async,
  );
  await bridge.api("POST", "/v1/requests", { topic: "away", payload: 1, expirySeconds: 600 }, async);
  await bridge.api("POST", "/v1/keys", {
    name: "k",
    scopes: ["publish"],
    publish: ["#"],
    rateLimit: { max: 9, perSeconds: 1 },
  });
  const hook = await bridge.api("POST", "/v1/hooks", {
    ...{ name: "h", externalId: "pinned", topic: "hook/{query.id}", payload: "body", methods: ["POST"] },
    ...{ rateLimit: { max: 9, perSeconds: 1 }, verify: { type: "gitlab", secret: "s" } },
  });
  const headers = { "x-gitlab-token": "s", "idempotency-key": "d1" };
  await bridge.api("POST", `${hook.body.path}?id=1`, {}, headers);
  await bridge.api("POST", "/v1/session", { key: "test-key-0123456789abcdef" });
  await bridge.api("POST", `/v1/webhooks/${webhook.id}/test`);
  const answered = async () => (await bridge.api("GET", `/v1/requests/${request.body.id}`)).body.outcome as string;
  await eventually(answered, (outcome) => outcome === "responded", 20_000);
  const failed = async () => (await bridge.api("GET", `/v1/webhooks/${broken.id}`)).body.counts.failed as number;
  await eventually(failed, (count) => count >= 1, 20_000);
  const replay = await bridge.api("POST", `/v1/webhooks/${broken.id}/replay`, { status: "failed" });
  const state = async () => (await bridge.api("GET", replay.headers.get("location")!)).body.state as string;
  await eventually(state, (now) => now === "finished", 20_000);
  const retained = async () => (await bridge.api("GET", `/v1/webhooks/${webhook.id}`)).body.counts.succeeded as number;
  await eventually(retained, (count) => count >= 22, 20_000);
}

describe("names in the source", () => {
  it("of log events are pinned", () => assertPinned("logEvents", logEvents()));
  it("of tables are pinned", () => assertPinned("sql", sqlNames()));
  it("of short-lived keys exist", () => {
    const texts = sourceTexts();
    for (const wanted of TRANSIENT_TEXTS)
      assert.ok(
        texts.some((text) => text.includes(wanted)),
        wanted,
      );
  });
  it("of roles are pinned", () => assertPinned("roles", [...ROLES]));
});

const kind = mosquittoAndRedis("5");
describe("names in Redis and on the metrics page", kind.options, () => {
  it("are pinned", async (t) => {
    const world = await startScenario(t, kind, { device: { protocolVersion: 5 } });
    const { bridge, receiver } = world;
    receiver.answer = ({ path }) => (path === "/broken" ? 500 : { status: 200, body: "ok" });
    const redis = new Redis(world.redis!.url);
    t.after(() => redis.disconnect());
    await useEverything(world);

    const metrics = (await bridge.api("GET", "/metrics")).bytes.toString();
    assertPinned("metrics", sorted([...metrics.matchAll(/^# TYPE (causeway_\w+ \w+)$/gm)].map((match) => match[1]!)));

    const writers = () => redis.keys("causeway:w:*");
    await eventually(writers, ({ length }) => length >= 3, 30_000);
    const keys = await redis.keys("*");
    const queues = keys.filter((key) => key.startsWith("causeway:q:"));
    assertPinned("queues", sorted(queues.map((key) => shape(key.split(":")[2]!))));
    const own = keys.filter((key) => !key.startsWith("causeway:q:") && !TRANSIENT.test(key));
    assertPinned("keys", sorted(own.map(shape)));

    const records: Record<string, string[]> = {};
    for (const key of own.filter((each) => each.startsWith("causeway:r:"))) {
      const values = await redis.hvals(key);
      records[key] = sorted(values.flatMap((value) => members(value.slice(value.indexOf("{")))));
    }
    assertPinned("records", records);

    const jobs: Record<string, Set<string>> = {};
    for (const key of queues) {
      if ((await redis.type(key)) !== "hash") continue;
      const data = await redis.hget(key, "data");
      if (data === null) continue;
      const name = shape(key.split(":")[2]!);
      const fields = jobs[name] ?? new Set();
      jobs[name] = fields;
      const value = JSON.parse(data) as Record<string, unknown>;
      for (const field of Object.keys(value)) fields.add(field);
      const place = value.place as object | undefined;
      for (const field of Object.keys(place ?? {})) fields.add(`place.${field}`);
    }
    const jobFields = Object.entries(jobs).map(([queue, fields]) => [queue, sorted(fields)] as const);
    assertPinned("jobs", Object.fromEntries(jobFields.sort(([a], [b]) => a.localeCompare(b))));
  });
});
