/** Format number of the stored data: which bridges may enter a store, and which data is migrated. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { enterDataDir } from "../../src/store/data-dir.ts";
import {
  type BridgeFormat,
  enterStore,
  type Format,
  type Migration,
  NewerDataError,
  OlderDataError,
} from "../../src/store/format.ts";
import { openRedisStore } from "../../src/store/redis/open.ts";
import { openSqliteStore } from "../../src/store/sqlite/open.ts";
import type { Store } from "../../src/store/store.ts";
import { temporaryDirectory } from "../support/directories.ts";
import { redisInstalled, startRedis, type TestRedis } from "../support/redis.ts";

/** A bridge that reads every older format. */
const reads = (format: number, readableFrom: number): BridgeFormat => ({ format, readableFrom, oldest: 1 });

const log = { info() {}, warn() {}, error() {} };
const skip = !redisInstalled() && !process.env.CI && "redis-server is not installed";

interface Kind {
  name: string;
  skip: string | false;
  /** Opens the handles of two instances on the same new data. */
  open(): Promise<{ one: Store; other: Store; close(): Promise<void> }>;
}

let redis: TestRedis | undefined;
let prefixes = 0;
const kinds: Kind[] = [
  {
    name: "embedded",
    skip: false,
    async open() {
      const store = await openSqliteStore({ dataDir: temporaryDirectory("format"), log });
      return { one: store, other: store, close: () => store.close() };
    },
  },
  {
    name: "redis",
    skip,
    async open() {
      redis ??= await startRedis();
      const options = { url: redis.url, prefix: `format${prefixes++}`, log };
      const [one, other] = [await openRedisStore(options), await openRedisStore(options)];
      return { one, other, close: async () => void (await Promise.all([one.close(), other.close()])) };
    },
  },
];
after(() => redis?.stop());

for (const kind of kinds) {
  describe(`the format of a store: ${kind.name}`, { skip: kind.skip }, () => {
    let opened: Awaited<ReturnType<Kind["open"]>>;
    before(async () => {
      opened = await kind.open();
    });
    after(() => opened.close());

    const markOf = async (): Promise<Format | undefined> =>
      (await opened.one.records<Format>("format").get("store"))?.value;
    const enter = async (store: Store, ours: BridgeFormat, migrations: Migration[] = []) => {
      const entered = await enterStore(store, { place: "here", holder: `i${Math.random()}`, ours, migrations });
      await entered.stop();
    };
    const refused = (store: Store, ours: BridgeFormat) => assert.rejects(enter(store, ours), NewerDataError);

    it("is that of the first bridge, and a second start changes nothing", async () => {
      await enter(opened.one, reads(1, 1));
      await enter(opened.other, reads(1, 1));
      const found = await opened.one.records<Format>("format").get("store");
      assert.deepEqual(found, { id: "store", value: { format: 1, readableFrom: 1 }, version: 1 });
    });

    it("grows, and older bridges that may read it continue", async () => {
      await enter(opened.one, reads(2, 1));
      await enter(opened.other, reads(1, 1));
      assert.deepEqual(await markOf(), { format: 2, readableFrom: 1 });
    });

    it("is watched: a bridge that may no longer read the data is notified, and refused from then on", async () => {
      const old = { place: "here", holder: "old", ours: reads(1, 1) };
      const { outdated, stop } = await enterStore(opened.other, old);
      await enter(opened.one, reads(3, 2));
      const error = await outdated;
      assert.match(error.message, /^The data in here .* has format 3, for bridges of format 2 or newer, .* format 1\./);
      await stop();
      await refused(opened.other, old.ours);
      await enter(opened.other, reads(2, 1));
      assert.deepEqual(await markOf(), { format: 3, readableFrom: 2 });
    });

    it("is raised after its migrations, which two simultaneously starting instances run once, in order", async () => {
      const seen: [number, Format | undefined][] = [];
      const step = (to: number): Migration => ({ to, run: async () => void seen.push([to, await markOf()]) });
      const failing: Migration = { to: 5, run: () => Promise.reject(new Error("crashed")) };
      const ours = reads(5, 4);
      await assert.rejects(enter(opened.one, ours, [step(3), step(4), failing]), /crashed/);
      // Bridges that would write the old form are locked out already, although the migration is not done yet.
      assert.deepEqual(seen, [[4, { format: 3, readableFrom: 4 }]]);
      await refused(opened.other, reads(3, 1));
      seen.length = 0;
      const all = [step(3), step(4), step(5), step(6)];
      await Promise.all([enter(opened.one, ours, all), enter(opened.other, ours, all)]);
      assert.deepEqual(
        seen.map(([to]) => to),
        [4, 5],
      );
      assert.deepEqual(await markOf(), { format: 5, readableFrom: 4 });
    });

    it("is refused and unchanged if it is older than the oldest that the bridge reads", async () => {
      const ours = { format: 7, readableFrom: 7, oldest: 6 };
      const migration: Migration = { to: 7, run: () => assert.fail("nothing is migrated") };
      await assert.rejects(enter(opened.one, ours, [migration]), OlderDataError);
      assert.deepEqual(await markOf(), { format: 5, readableFrom: 4 });
    });

    it("is that of the bridge on an empty store, although there are migrations", async () => {
      const empty = await kind.open();
      const migration: Migration = { to: 3, run: async () => undefined };
      await enter(empty.one, { format: 3, readableFrom: 3, oldest: 2 }, [migration]);
      const found = await empty.one.records<Format>("format").get("store");
      assert.deepEqual(found?.value, { format: 3, readableFrom: 3 });
      await empty.close();
    });

    it("keeps unknown members written by a newer bridge", async () => {
      const mark = opened.one.records<Format & { later?: string }>("format");
      const { value, version } = (await mark.get("store"))!;
      await mark.replace("store", { ...value, later: "kept" }, version);
      await enter(opened.other, reads(6, 4));
      assert.deepEqual(await markOf(), { format: 6, readableFrom: 4, later: "kept" });
    });
  });
}

describe("the format of a data directory", () => {
  it("is written where it is missing, and never decreases", async () => {
    const dataDir = join(temporaryDirectory("format"), "made");
    const written = () => JSON.parse(readFileSync(join(dataDir, "format"), "utf8")) as Format;
    await enterDataDir(dataDir, reads(1, 1));
    assert.deepEqual(written(), { format: 1, readableFrom: 1 });
    await enterDataDir(dataDir, reads(3, 2));
    await enterDataDir(dataDir, reads(2, 1));
    assert.deepEqual(written(), { format: 3, readableFrom: 2 });
    await assert.rejects(enterDataDir(dataDir, reads(1, 1)), NewerDataError);
    assert.deepEqual(readdirSync(dataDir), ["format"]);
  });

  it("is refused where it cannot be read, and not required where nothing can be written", async () => {
    const dataDir = temporaryDirectory("format");
    writeFileSync(join(dataDir, "format"), "{}");
    await assert.rejects(enterDataDir(dataDir), /format does not contain a valid format number/);
    await enterDataDir(join(dataDir, "format", "below-a-file"));
  });
});
