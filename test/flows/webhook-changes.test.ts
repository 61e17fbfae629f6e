/**
 * Changes of webhooks reach every process within a second, whichever process was called. The receiver shows it: by the
 * last call under the old settings and the first one under the new settings, while devices publish all the time. All
 * kinds of changes at once, in several rounds, with two instances and with one process per role.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setInterval } from "node:timers/promises";
import { connectTo } from "../support/device.ts";
import { eventually } from "../support/eventually.ts";
import { receiverStatusOf, startInstances } from "../support/instances.ts";
import type { ReceivedCall } from "../support/receiver.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { scaled } from "../support/speed.ts";

const REACHED_MS = 1_000;
/** Limit for the slowest round: a machine with ten times the work that it can do took 1,037 ms. */
const AT_MOST_MS = 2_000;
/** Time to watch for calls that must not come after a change. */
const WATCHED_MS = 2_000;
const ROUNDS = Number(process.env.ROUNDS ?? 2);
const TICK_MS = 80;
/** Makes one process with one call at a time too slow for the messages, so that all delivering processes take part. */
const ANSWER_MS = 100;

/** Kinds of changes; also the webhooks' paths. */
type Kind = "create" | "url" | "topics" | "disable" | "enable" | "pause" | "resume" | "delete";

const SETUPS = [
  { name: "two instances", roles: [undefined, undefined], asked: [0, 1], deliverers: 2 },
  { name: "one process a role", roles: ["api", "uplink", "delivery"], asked: [0], deliverers: 1 },
] as const;

describe("changes of webhooks", { concurrency: false, ...requireOrSkip("mosquitto", "redis-server") }, () => {
  for (const { name, roles, asked, deliverers } of SETUPS) {
    it(`reach every process within a second: ${name}`, async (t) => {
      const { bridges, mosquitto, receiver } = await startInstances(t, { roles });
      const holder = roles[0] === "api" ? bridges[1]! : bridges[0]!;
      const granted = async () => (await receiverStatusOf(holder)).sessions[0]?.granted;
      const device = await connectTo(mosquitto.url, 5);
      const publishing = new AbortController();
      t.after(async () => {
        publishing.abort();
        await device.endAsync(true);
      });
      receiver.delayMs = ANSWER_MS;
      void publishAlways(publishing.signal, (topic, at) => device.publish(topic, String(at), { qos: 1 }));

      const took = new Map<string, number[]>();
      for (let round = 0; round < ROUNDS; round++) {
        const attemptsAt = (path: string) => receiver.attempts.filter((call) => call.path === `/${round}/${path}`);
        let turn = round;
        const ask = async (method: string, path: string, body?: unknown) => {
          const bridge = bridges[asked[turn++ % asked.length]!]!;
          const answer = await bridge.api(method, `/v1/webhooks${path}`, body);
          assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.bytes}`);
          return answer.body;
        };
        const register = (path: string, fields: object = {}) =>
          ask("POST", "", { url: `${receiver.url}/${round}/${path}`, topics: ["flow"], concurrency: 1, ...fields });

        const url = await register("url");
        // Concurrency 10, so that no message of the old topic waits ahead of the new ones.
        const topics = await register("topics", { topics: ["old"], concurrency: 10 });
        const disable = await register("disable");
        const enable = await register("enable", { enabled: false });
        const pause = await register("pause");
        const resume = await register("resume");
        const gone = await register("delete", { topics: ["gone/1", "gone/2", "flow"] });
        assert.equal(await granted(), 4, "flow, old and what will be gone are subscribed when they are answered");
        await ask("POST", `/${resume.id}/pause`);
        for (const path of ["url", "disable", "pause", "delete"])
          await receiver.until(() => hasOverlap(attemptsAt(path), deliverers));
        await receiver.until(() => attemptsAt("topics").length > 0);

        const since: Record<string, number> = {};
        let created = { id: "" };
        const change = async (kind: Kind, act: () => Promise<unknown>) => {
          since[kind] = Date.now();
          await act();
        };
        const url2 = `${receiver.url}/${round}/url2`;
        await Promise.all([
          change("url", () => ask("PATCH", `/${url.id}`, { url: url2 })),
          change("topics", () => ask("PATCH", `/${topics.id}`, { topics: ["new"] })),
          change("disable", () => ask("PATCH", `/${disable.id}`, { enabled: false })),
          change("enable", () => ask("PATCH", `/${enable.id}`, { enabled: true })),
          change("pause", () => ask("POST", `/${pause.id}/pause`)),
          change("resume", () => ask("POST", `/${resume.id}/resume`)),
          change("delete", () => ask("DELETE", `/${gone.id}`)),
          change("create", async () => {
            created = await register("create", { topics: ["born"] });
          }),
        ]);
        const subscribedAt = eventually(granted, (count) => count === 3).then(() => Date.now());
        // Late calls would have come by then.
        const end = Date.now() + WATCHED_MS;
        await receiver.until(() => Date.now() >= end);

        const note = (what: string, ms: number) => took.set(what, [...(took.get(what) ?? []), Math.max(0, ms)]);
        const last = (calls: ReceivedCall[], at = (call: ReceivedCall) => call.at) => Math.max(0, ...calls.map(at));
        note("url: old", last(attemptsAt("url")) - since.url!);
        note("topics: old", last(attemptsAt("topics").filter(subjectIs("old")), publishedAt) - since.topics!);
        for (const kind of ["disable", "pause", "delete"] as const)
          note(`${kind}: last`, last(attemptsAt(kind)) - since[kind]!);
        for (const [kind, calls, from] of [
          ["url", attemptsAt("url2"), 1],
          ["topics", attemptsAt("topics").filter(subjectIs("new")), 1],
          ["create", attemptsAt("create"), 1],
          // More deliveries wait than one process can send.
          ["enable", attemptsAt("enable"), deliverers],
          ["resume", attemptsAt("resume").filter(({ at }) => at >= since.resume!), deliverers],
        ] as const)
          note(`${kind}: from ${from}`, overlapAt(calls, from) - since[kind]!);
        note("subscriptions", (await subscribedAt) - Math.max(...Object.values(since)));
        for (const { id } of [url, topics, disable, enable, pause, resume, created]) await ask("DELETE", `/${id}`);
        await eventually(granted, (count) => count === 0);
      }
      const figures = [...took].map(([what, ms]) => `${what} ${ms.join("/")}`).join(", ");
      t.diagnostic(`milliseconds: ${figures}`);
      for (const [what, ms] of took) {
        assert.ok(Math.min(...ms) < scaled(REACHED_MS), `${what}: ${figures}`);
        assert.ok(Math.max(...ms) < scaled(AT_MOST_MS), `${what}: ${figures}`);
      }
    });
  }
});

/** Publishes the time to every topic at every tick. */
async function publishAlways(signal: AbortSignal, publish: (topic: string, at: number) => void): Promise<void> {
  for await (const _ of setInterval(TICK_MS)) {
    if (signal.aborted) return;
    for (const topic of ["flow", "old", "new", "born"]) publish(topic, Date.now());
  }
}

const eventOf = ({ body }: ReceivedCall): { subject: string; data: number } => JSON.parse(body.toString());
const publishedAt = (call: ReceivedCall) => eventOf(call).data;
const subjectIs = (subject: string) => (call: ReceivedCall) => eventOf(call).subject === subject;

/** Returns when `count` calls first overlapped (each process makes one call at a time); infinite: never. */
function overlapAt(calls: readonly ReceivedCall[], count: number): number {
  const at = calls.findIndex((call, i) => call.at - (calls[i - count + 1]?.at ?? Number.NEGATIVE_INFINITY) < ANSWER_MS);
  return calls[at]?.at ?? Number.POSITIVE_INFINITY;
}

function hasOverlap(calls: readonly ReceivedCall[], count: number): boolean {
  return overlapAt(calls, count) < Number.POSITIVE_INFINITY;
}
