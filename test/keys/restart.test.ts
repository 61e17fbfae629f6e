/** Keys on a real store survive the process. The flow test checks the same over HTTP, on either store. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { unwrap } from "../../src/http/problem.ts";
import type { KeyRecord } from "../../src/keys/key.ts";
import { openStore } from "../../src/store/open.ts";
import type { Store } from "../../src/store/store.ts";
import { temporaryDirectory } from "../support/directories.ts";
import { eventually } from "../support/eventually.ts";
import { Clock, startKeys } from "./support.ts";

const quiet = { info() {}, warn() {}, error() {} };

describe("keys in the embedded store", () => {
  const dataDir = temporaryDirectory("keys");
  const clock = new Clock();
  let store: Store;
  before(async () => {
    store = await openStore({ dataDir, log: quiet });
  });
  after(() => store.close());

  it("are unchanged after a restart, and removed ones stay removed", async () => {
    const one = await startKeys(store.records<KeyRecord>("keys"), clock);
    const [kept, removed] = [
      unwrap(
        await one.keys.create({
          name: "a\u0000é",
          scopes: ["publish"],
          publish: ["a/+"],
          expiresAt: "2027-01-01T00:00:00Z",
        }),
      ),
      unwrap(await one.keys.create({ name: "b", scopes: ["read"] })),
    ];
    assert.ok(one.keys.authenticate(kept.key));
    const noted = async () => unwrap(await one.keys.list({ limit: 10 })).items[0]!.lastUsedAt;
    await eventually(noted, "the use is noted");
    await one.keys.remove(removed.id);
    await one.view.stop();
    await store.close();

    store = await openStore({ dataDir, log: quiet });
    const two = await startKeys(store.records<KeyRecord>("keys"), clock);
    const { key, ...shown } = kept;
    assert.deepEqual(unwrap(await two.keys.list({ limit: 10 })).items, [
      { ...shown, lastUsedAt: "2026-03-01T12:00:00.000Z" },
    ]);
    const caller = two.keys.authenticate(key);
    assert.deepEqual([caller?.id, caller?.mayPublish("a/b"), caller?.mayPublish("b")], [kept.id, true, false]);
    assert.equal(two.keys.authenticate(removed.key), undefined);
    await two.view.stop();
  });
});
