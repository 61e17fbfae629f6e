/** The table of starting and stopping: order, calls and time limits. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Role } from "../../src/config/config.ts";
import { Closing, PROCESS_STOP_MS } from "../../src/process/shutdown.ts";
import { lifecycle, OPENED_MS, type Wired } from "../../src/wiring/lifecycle.ts";
import { capabilitiesOf } from "../../src/wiring/roles.ts";

/** Wired parts whose methods record their calls. */
function wire(roles: Role[], calls: string[]): Wired {
  const recorder = (path: string): unknown =>
    new Proxy(() => {}, {
      get: (_target, key) => recorder(path ? `${path}.${String(key)}` : String(key)),
      apply: async () => void calls.push(path),
    });
  const part = (name: string) => recorder(name) as never;
  const [queues, receive, deliver] = [part("queues"), part("receive"), part("deliver")];
  return {
    infrastructure: {
      runs: capabilitiesOf(roles),
      registry: part("registry"),
      recorder: part("recorder"),
      hooks: part("hooks"),
      observer: part("observer"),
    },
    ...{ broker: part("broker"), queues, receive, downlink: part("downlink"), deliver },
    ...{ live: part("live"), operations: part("operations"), api: part("api") },
    configuration: part("configuration"),
  };
}

async function run(roles: Role[]) {
  const calls: string[] = [];
  const closing = new Closing({ info() {}, warn() {}, error() {} });
  await closing.start(lifecycle(wire(roles, calls)));
  const started = calls.splice(0);
  const open = closing.open;
  await closing.closeAll();
  return { started, open, stopped: calls };
}

const ALL: Role[] = ["api", "uplink", "delivery"];
const STOPPED_LAST = ["deliver.expressions.close", "deliver.senders.close"];
const PUBLISHING_ENDS = ["downlink.outbox.stop", "broker.reader.close", "broker.publisher.close"];

describe("the lifecycle", () => {
  it("has these parts, in this order and with these time limits", () => {
    const opened = Object.entries(OPENED_MS);
    const rows = lifecycle(wire(ALL, [])).map(({ name, start, stop, ms }) => [
      name,
      [...(start ? ["starts"] : []), ...(stop ? ["stops"] : [])].join(" and "),
      ms,
    ]);
    assert.deepEqual(
      [...opened, ...rows],
      [
        ["instance", 250],
        ["store", 250],
        ["format", 100],
        ["broker", 250],
        ["series", "starts and stops", 250],
        ["publisher", "stops", 250],
        ["reader", "stops", 250],
        ["outbox", "stops", 500],
        ["sender", "stops", 250],
        ["expressions", "stops", undefined],
        ["requests", "starts and stops", 100],
        ["stored_requests", "starts and stops", undefined],
        ["views", "starts and stops", 100],
        ["registrations", "starts", undefined],
        ["ordered", "stops", 250],
        ["queues", "starts and stops", 250],
        ["flow", "starts and stops", 9_000],
        ["ordered_election", "starts", undefined],
        ["snapshots", "starts and stops", undefined],
        ["replays", "starts and stops", 500],
        ["publishing", "starts", undefined],
        ["answers", "starts and stops", 250],
        ["canary", "starts and stops", 250],
        ["keys", "starts and stops", 100],
        ["feed", "stops", 250],
        ["http", "starts and stops", 1_500],
        ["configuration", "starts and stops", undefined],
        ["live", "stops", undefined],
      ],
    );
  });

  it("ends within the time limit of the process, even if every part uses up its own", () => {
    const limits = [...Object.values(OPENED_MS), ...lifecycle(wire(ALL, [])).map(({ ms = 0 }) => ms)];
    const sum = limits.reduce((total, ms) => total + ms, 0);
    assert.ok(sum < PROCESS_STOP_MS, `${sum} ms`);
  });

  it("starts all parts of a process with all roles, and stops them in reverse order", async () => {
    const { started, stopped } = await run(ALL);
    assert.deepEqual(started, [
      "recorder.start",
      ...["receive.requestCache.start", "receive.pending.start"],
      ...["registry.start", "receive.receivers.start", "deliver.endpoints.start"],
      ...["registry.onChange", "deliver.endpoints.onChange"],
      ...["deliver.watch.start", "queues.retention.start", "queues.orphanedQueues.start"],
      ...["deliver.workers.refresh", "receive.election.start", "deliver.ordered.start"],
      ...["receive.snapshots.refresh", "deliver.replays.start", "downlink.outbox.start"],
      ...["downlink.responseWorker.start", "operations.canary.start", "api.keyCache.start", "hooks.start"],
      ...["api.server.start", "configuration.start"],
    ]);
    assert.deepEqual(stopped, [
      "deliver.pulls.stop",
      ...["live.streams.close", "live.syncRequests.close", "configuration.stop", "api.server.stop", "live.feed.close"],
      ...["api.keyCache.stop", "hooks.stop", "operations.canary.stop", "downlink.responseWorker.stop"],
      "deliver.replays.stop",
      "receive.snapshots.stop",
      ...["receive.election.stop", "deliver.workers.stop", "receive.ledger.stop"],
      ...["queues.retention.stop", "queues.orphanedQueues.stop", "deliver.watch.stop", "queues.queues.closeAll"],
      ...["deliver.ordered.stop", "registry.stop", "receive.receivers.stop", "deliver.endpoints.stop"],
      ...["receive.pending.stop", "receive.requestCache.stop"],
      ...STOPPED_LAST,
      ...PUBLISHING_ENDS,
      "recorder.stop",
    ]);
  });

  it("neither receives nor publishes stored messages in a process for deliveries", async () => {
    const { started, open } = await run(["delivery"]);
    assert.ok(started.includes("deliver.workers.refresh"));
    for (const absent of ["receive.requestCache.start", "downlink.outbox.start", "receive.snapshots.refresh"])
      assert.ok(!started.includes(absent), absent);
    for (const absent of ["requests", "stored_requests", "snapshots", "answers"])
      assert.ok(!open.includes(absent), absent);
  });

  it("calls no webhook in a process that only receives", async () => {
    const { started } = await run(["uplink"]);
    assert.ok(started.includes("receive.election.start"));
    for (const absent of ["deliver.workers.refresh", "deliver.watch.start", "deliver.ordered.start"])
      assert.ok(!started.includes(absent), absent);
  });
});
