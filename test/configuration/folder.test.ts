/** Applying CONFIG_DIR while the API refuses calls for a moment, and when the process stops. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { ConfigurationFolder } from "../../src/configuration/folder.ts";

type Refusal = [status: number, code: string];

/** A server that refuses calls in this order, and lets the others succeed. */
async function startApi(t: TestContext, ...refusals: (Refusal | undefined)[]) {
  const server = createServer((request, response) => {
    const problem = refusals.shift();
    const body = problem
      ? { code: problem[1], status: problem[0], detail: "no" }
      : request.method === "GET"
        ? { items: [], nextCursor: null }
        : { id: "wh_1" };
    const type = problem ? "application/problem+json" : "application/json";
    response.writeHead(problem?.[0] ?? 200, { "content-type": type }).end(JSON.stringify(body));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function start(t: TestContext, url: string) {
  const events: string[] = [];
  let note: (event: string) => void = () => {};
  const log = (_fields: object, event: string) => {
    events.push(event);
    note(event);
  };
  const documents = [{ kind: "Webhook" as const, identity: "a", fields: { externalId: "a" } }];
  const folder = new ConfigurationFolder({ folder: "/f", documents, apiKey: "k", log: { info: log, warn: log } });
  const seen = (event: string) =>
    new Promise<void>((resolve) => {
      note = (name) => name === event && resolve();
    });
  const applied = seen("configuration_applied");
  folder.start(url);
  t.after(() => folder.stop());
  return { folder, events, applied, seen };
}

describe("the configuration folder", () => {
  it("is tried again while the store is unavailable, and after a conflict with another instance", async (t) => {
    const url = await startApi(t, [503, "store_unavailable"], undefined, [409, "conflict"]);
    const first = start(t, url);
    assert.deepEqual([first.folder.status.state, first.folder.status.appliedAt], ["applying", null]);
    await first.applied;
    assert.deepEqual(first.events, ["configuration_postponed", "configuration_postponed", "configuration_applied"]);
    const { state, created, refused } = first.folder.status;
    assert.deepEqual([state, created, refused], ["applied", 1, []]);
  });

  it("ends with the process, without a further line in the log", async (t) => {
    const url = await startApi(t, ...Array.from({ length: 100 }, (): Refusal => [503, "store_unavailable"]));
    const { folder, events, seen } = start(t, url);
    await seen("configuration_postponed");
    folder.stop();
    assert.deepEqual(events, ["configuration_postponed"]);
    assert.equal(folder.status.state, "applying");
  });
});
