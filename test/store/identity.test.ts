/** Identity of a store: created once, compared at the start, and checked with every call in Redis. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Redis } from "ioredis";
import { CannotStartError } from "../../src/errors.ts";
import { enterIdentity } from "../../src/store/identity.ts";
import { openRedisStore } from "../../src/store/redis/open.ts";
import { openSqliteStore } from "../../src/store/sqlite/open.ts";
import type { Records, Store } from "../../src/store/store.ts";
import { temporaryDirectory } from "../support/directories.ts";
import { eventually } from "../support/eventually.ts";
import { startRedis } from "../support/redis.ts";
import { requireOrSkip } from "../support/requirements.ts";

const log = { info() {}, warn() {}, error() {} };

/** Fakes the part of a store that the identity uses: records with `create`, `get` and `bind`. */
function fakeStore(held = new Map<string, unknown>()) {
  const records = {
    async get(id: string) {
      const value = held.get(id);
      return value === undefined ? undefined : { id, value, version: 1 };
    },
    async create(id: string, value: unknown) {
      if (held.has(id)) return false;
      held.set(id, value);
      return true;
    },
  } as unknown as Records<never>;
  const bound: string[] = [];
  const store = { records: () => records, bind: (id: string) => bound.push(id) } as unknown as Store;
  return { store, bound, held };
}

async function enter(store: Store, dataDir: string, accept = false): Promise<string> {
  const identity = await enterIdentity(store, { dataDir, place: "here", accept });
  return identity.keep();
}

const kept = (dataDir: string) => readFileSync(join(dataDir, "store-id"), "utf8").trim();

describe("the identity of a store", () => {
  it("is created once, kept on both sides, readable only by the owner, and stays the same", async () => {
    const { store, bound } = fakeStore();
    const [mine, theirs] = [temporaryDirectory("identity"), temporaryDirectory("identity")];
    const identity = await enter(store, mine);
    assert.equal(kept(mine), identity);
    assert.equal(statSync(join(mine, "store-id")).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(mine), ["store-id"]);
    assert.equal(await enter(store, mine), identity);
    assert.equal(await enter(store, theirs), identity, "another instance takes it over");
    assert.equal(kept(theirs), identity);
    assert.deepEqual(new Set(bound), new Set([identity]));
  });

  it("is the same for two instances that start on an empty store at the same time", async () => {
    const { store } = fakeStore();
    const dirs = [temporaryDirectory("identity"), temporaryDirectory("identity")];
    const entered = await Promise.all(
      dirs.map((dataDir) => enterIdentity(store, { dataDir, place: "here", accept: false })),
    );
    const [one, other] = await Promise.all(entered.map((each) => each.keep()));
    assert.equal(one, other);
    assert.deepEqual(dirs.map(kept), [one, one]);
  });

  it("is not kept where nothing can be written", async () => {
    const dataDir = join(temporaryDirectory("identity"), "file");
    writeFileSync(dataDir, "");
    assert.match(await enter(fakeStore().store, dataDir), /^[0-9a-f-]{36}$/);
  });

  it("refuses an empty store and another store, and changes nothing unless configured to accept it", async () => {
    const dataDir = temporaryDirectory("identity");
    const known = await enter(fakeStore().store, dataDir);
    const [empty, other] = [fakeStore(), fakeStore()];
    const found = await enter(other.store, temporaryDirectory("identity"));

    const refused = (store: Store, pattern: RegExp) =>
      assert.rejects(enter(store, dataDir), (error: Error) => {
        assert.ok(error instanceof CannotStartError);
        assert.match(error.message, pattern);
        assert.match(error.message, new RegExp(`store-id names the store ${known}.*STORE_RESET=accept`));
        return true;
      });
    await refused(empty.store, /^The store here has no identity, as an empty store has none/);
    await refused(other.store, new RegExp(`^The store here has the identity ${found}`));
    assert.equal(empty.held.size, 0);
    assert.equal(kept(dataDir), known);

    assert.equal(await enter(other.store, dataDir, true), found);
    assert.equal(kept(dataDir), found);
    assert.equal(await enter(other.store, dataDir), found, "and needs no acceptance after that");
    const renewed = await enter(empty.store, dataDir, true);
    assert.notEqual(renewed, found);
    assert.equal(kept(dataDir), renewed);
  });

  it("refuses a damaged store-id", async () => {
    const dataDir = temporaryDirectory("identity");
    const { store } = fakeStore();
    const identity = await enter(store, dataDir);
    writeFileSync(join(dataDir, "store-id"), "\0\0\0\0");
    await assert.rejects(enter(store, dataDir), /store-id does not hold the identity of a store.*STORE_RESET=accept/);
    assert.equal(await enter(store, dataDir, true), identity);
  });

  it("is kept in the embedded store and survives a restart", async () => {
    const dataDir = temporaryDirectory("identity");
    let store = await openSqliteStore({ dataDir, log });
    const identity = await enter(store, dataDir);
    await store.close();
    store = await openSqliteStore({ dataDir, log });
    assert.equal(await enter(store, dataDir), identity);
    await store.close();
  });
});

describe("another Redis in place of the right one", requireOrSkip("redis-server"), () => {
  it("accepts and returns nothing, as in an outage, until the right one is back", async (t) => {
    const lines: string[] = [];
    const record = (_fields: object, message: string) => void lines.push(message);
    const [redis, dataDir] = [await startRedis(), temporaryDirectory("identity")];
    const store = await openRedisStore({ url: redis.url, log: { info: record, warn: record, error: record } });
    const raw = new Redis(redis.url);
    t.after(async () => {
      raw.disconnect();
      await store.close();
      await redis.stop();
    });
    const identity = await enter(store, dataDir);
    const hooks = store.records<number>("hooks");
    const queue = store.queues.queue<number>("deliver-wh_x");
    const heard: (string | undefined)[] = [];
    await hooks.watch((id) => heard.push(id));
    await hooks.create("a", 1);
    await queue.add("x", 1, { jobId: "there" });
    const content = await raw.hget("causeway:r:format", "identity");

    // All calls use the existing connection.
    const calls: Record<string, () => Promise<unknown>> = {
      ping: () => store.ping(),
      get: () => hooks.get("a"),
      all: () => hooks.all(),
      list: () => hooks.list({ limit: 1 }),
      countRecords: () => hooks.count(),
      create: () => hooks.create("b", 1),
      replace: () => hooks.replace("a", 2, 1),
      remove: () => hooks.remove("a"),
      setIfAbsent: () => store.expiringKeys.setIfAbsent("k", "v", 60),
      getKey: () => store.expiringKeys.get("k"),
      release: () => store.expiringKeys.release("k"),
      releaseIf: () => store.expiringKeys.releaseIf("k", "v"),
      countersAdd: () => store.counters.add("g", { n: 1 }),
      countersRead: () => store.counters.read("g"),
      countersRemove: () => store.counters.remove("g"),
      booksTotal: () => store.ledgers.total(),
      booksQueues: () => store.ledgers.queues(),
      booksClose: () => store.ledgers.close("deliver-wh_x"),
      deliveryIndex: () =>
        store.deliveryIndex.newest({ queues: ["deliver-wh_x"], before: { at: 1, id: "", queue: "" } }, 1),
      incomingAll: () => store.incoming("lane").all(),
      incomingWrite: () => store.incoming("lane").write(new Map(), [1]),
      seriesPut: () => store.series.put("g", "w", [["a", "1"]], 60),
      seriesOf: () => store.series.of("a", ["g"]),
      seriesAll: () => store.series.all("g")[Symbol.asyncIterator]().next(),
      acquire: () => store.leases.acquire("l", "me", 1_000),
      holder: () => store.leases.holder("l"),
      leaseRelease: () => store.leases.release("l", "me"),
      addOne: () => queue.add("x", 2, { jobId: "one" }),
      addSeveral: () => queue.addBulk([1, 2].map((n) => ({ name: "x", data: n, opts: { jobId: `bulk-${n}` } }))),
      getJob: () => queue.getJob("absent"),
      getState: () => queue.getJobState("there"),
      counts: () => queue.getJobCounts("waiting"),
      obliterate: () => queue.obliterate({ force: true }),
    };
    const refuses = async () => {
      for (const [name, call] of Object.entries(calls)) {
        await assert.rejects(
          call(),
          (error: Error) => {
            assert.match(
              error.message,
              new RegExp(`^WRONGSTORE Redis holds another store: .* instead of ${identity}$`),
            );
            assert.ok(store.isOutage(error));
            return true;
          },
          name,
        );
      }
    };
    await raw.hdel("causeway:r:format", "identity");
    await refuses();
    await raw.hset("causeway:r:format", "identity", '1 {"id":"another"}');
    await refuses();
    assert.equal(await raw.hget("causeway:r:hooks", "a"), "1 1");
    assert.equal(await raw.exists("causeway:q:deliver-wh_x:one"), 0);
    await eventually(
      () => lines,
      (all) => all.includes("store_replaced"),
    );

    await raw.hset("causeway:r:format", "identity", content!);
    await eventually(
      () => lines,
      (all) => all.includes("store_back"),
    );
    assert.deepEqual(lines, ["store_replaced", "store_back"]);
    assert.deepEqual(await hooks.get("a"), { id: "a", value: 1, version: 1 });
    assert.equal(await queue.getJob("absent"), undefined);
    await eventually(
      () => heard,
      (ids) => ids.includes(undefined),
    );
    await queue.close();
  });

  it("is not the store of another prefix, which has an identity of its own", async (t) => {
    const redis = await startRedis();
    t.after(() => redis.stop());
    const [one, other] = await Promise.all(
      ["one", "other"].map((prefix) => openRedisStore({ url: redis.url, prefix, log })),
    );
    const ids = await Promise.all([one!, other!].map((store) => enter(store, temporaryDirectory("identity"))));
    assert.notEqual(ids[0], ids[1]);
    await Promise.all([one!.ping(), other!.ping()]);
    await Promise.all([one!.close(), other!.close()]);
  });
});
