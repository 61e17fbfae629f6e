import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, statSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, test } from "node:test";
import { StoreConfigError } from "../../src/store/errors.ts";
import { openStore } from "../../src/store/open.ts";
import { Database } from "../../src/store/sqlite/database.ts";
import { openSqliteStore } from "../../src/store/sqlite/open.ts";
import type { Store } from "../../src/store/store.ts";
import { storeContract } from "../contracts/store.contract.ts";
import { Seen } from "../contracts/store-queue-tools.ts";
import { temporaryDirectory } from "../support/directories.ts";
import { makeSmallDisk, smallDiskOrSkip } from "../support/disk.ts";
import { testModule, testProgram } from "../support/program.ts";

const log = { info() {}, warn() {}, error() {} };
const PROGRAM = testProgram(new URL("sqlite-process.ts", import.meta.url));
const PAGE_BYTES = 4_096;

storeContract("SQLite", async () => {
  const store = await openSqliteStore({ dataDir: join(temporaryDirectory("sqlite"), "made", "here"), log });
  return { store, cleanup: () => store.close() };
});

/** Starts a process that opens the store, writes, prints "ready" and waits to be killed. */
async function storeInAnotherProcess(dataDir: string) {
  const child = spawn(process.execPath, [...PROGRAM, dataDir], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  for await (const line of createInterface({ input: child.stdout })) if (line === "ready") break;
  assert.equal(child.exitCode, null, "the child process must be running");
  return {
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

const configError = (pattern: RegExp, place: string) => (error: unknown) => {
  assert.ok(error instanceof StoreConfigError, String(error));
  assert.match(error.message, pattern);
  assert.ok(error.message.includes(place));
  return true;
};

describe("store on SQLite", () => {
  const inUse = /is in use by another process/;

  test("a data directory can be opened once, and again after closing; its records persist", async () => {
    const dataDir = join(temporaryDirectory("sqlite"), "data");
    const first = await openSqliteStore({ dataDir, log, synchronous: "normal" });
    assert.equal(first.kind, "embedded");
    assert.equal(statSync(dataDir).mode & 0o777, 0o700);
    await first.records("hooks").create("a", 1);
    await assert.rejects(openSqliteStore({ dataDir, log }), configError(inUse, dataDir));
    await first.ping();

    await first.close();
    await first.close();
    await assert.rejects(first.ping(), (error) => /closed/.test(String(error)) && first.isOutage(error));
    const second = await openSqliteStore({ dataDir, log });
    assert.deepEqual(await second.records("hooks").get("a"), { id: "a", value: 1, version: 1 });
    await second.close();
  });

  test("a directory open in another process is refused; after its kill -9 all data is there", async () => {
    const dataDir = temporaryDirectory("sqlite");
    const child = await storeInAnotherProcess(dataDir);
    await assert.rejects(openSqliteStore({ dataDir, log }), configError(inUse, dataDir));
    await child.kill();

    const store = await openSqliteStore({ dataDir, log });
    const records = await store.records<number>("hooks").all();
    assert.deepEqual(
      records.map((r) => r.value),
      Array.from({ length: 100 }, (_, i) => i),
    );
    assert.equal(await store.expiringKeys.setIfAbsent("key", "new", 60), "old");
    const queue = store.queues.queue<number>("jobs");
    assert.equal((await queue.getJobCounts("waiting")).waiting, 200);
    const got = new Seen<number>();
    const worker = store.queues.worker<number>("jobs", async (job) => got.add(job.data));
    assert.equal(new Set(await got.until(200)).size, 200);
    await worker.close();
    await queue.close();
    await store.close();
  });

  test("a directory that cannot be created or written is a configuration error that names it", async () => {
    for (const dataDir of ["/dev/null/data", "/proc/self"]) {
      await assert.rejects(openSqliteStore({ dataDir, log }), configError(/cannot be (created|used)/, "/"));
    }
  });

  test("expired keys are removed when new ones are created", async () => {
    const dataDir = temporaryDirectory("sqlite");
    const store = await openSqliteStore({ dataDir, log });
    await Promise.all(Array.from({ length: 50 }, (_, i) => store.expiringKeys.put(`short-${i}`, "x", 0)));
    await Promise.all(Array.from({ length: 60 }, (_, i) => store.expiringKeys.put(`long-${i}`, "x", 60)));
    await store.close();

    const database = await Database.open({
      dataDir,
      log,
      modules: [testModule(new URL("count-keys-procedures.ts", import.meta.url))],
    });
    assert.equal(await database.call("test.countKeys"), 60);
    await database.close();
  });
});

test("a STORE_URL of another kind is refused without being repeated", async () => {
  await assert.rejects(openStore({ storeUrl: "postgres://me:secret@db/x", dataDir: "/nowhere", log }), (error) => {
    assert.ok(error instanceof StoreConfigError);
    assert.match(error.message, /STORE_URL/);
    assert.doesNotMatch(error.message, /secret/);
    return true;
  });
});

describe("damaged file of the store on SQLite", () => {
  test("a file of another kind is refused, and the message says what to do", async () => {
    const dataDir = temporaryDirectory("sqlite");
    const file = join(dataDir, "causeway.db");
    writeFileSync(file, "not a database\n".repeat(1_000));
    await assert.rejects(openSqliteStore({ dataDir, log }), configError(/may be damaged.*STORE_RESET=accept/, file));
  });

  test("a damaged page is found at the start after an unclean stop", async () => {
    const dataDir = temporaryDirectory("sqlite");
    const file = join(dataDir, "causeway.db");
    let database = await Database.open({ dataDir, log });
    const value = JSON.stringify("x".repeat(1_000));
    await Promise.all(Array.from({ length: 500 }, (_, i) => database.call("records.create", "many", `${i}`, value)));
    await database.connection.close(); // As a crash leaves it: marked as open.
    database = await Database.open({ dataDir, log });
    await database.connection.close();

    const pages = statSync(file).size / PAGE_BYTES;
    writeSync(openSync(file, "r+"), Buffer.alloc(PAGE_BYTES, 0x5a), 0, PAGE_BYTES, Math.floor(pages / 2) * PAGE_BYTES);
    await assert.rejects(openSqliteStore({ dataDir, log }), configError(/may be damaged/, file));
  });
});

describe("full disk under the store on SQLite", smallDiskOrSkip(), () => {
  async function writeUntilRefused(store: Store): Promise<number> {
    const records = store.records<string>("filling");
    for (let i = 0; ; i++) {
      try {
        await records.create(`${i}`, "x".repeat(10_000));
      } catch (error) {
        assert.ok(store.isOutage(error), String(error));
        return i;
      }
    }
  }

  test("is an outage that ends with the space; acknowledged changes survive it", async (t) => {
    const disk = makeSmallDisk(8);
    t.after(() => disk.unmount());
    const events: string[] = [];
    const add = (_fields: object, message: string) => void events.push(message);
    let store = await openSqliteStore({ dataDir: disk.directory, log: { info: add, warn: add, error: add } });
    disk.fill();
    const stored = await writeUntilRefused(store);
    assert.deepEqual(events, ["store_lost"]);
    assert.equal(await store.records("filling").count(), stored, "it can be read");

    disk.free();
    await store.ping();
    await store.records("filling").create("after", "x");
    assert.ok(events.includes("store_back"));
    await store.close();
    store = await openSqliteStore({ dataDir: disk.directory, log });
    assert.equal(await store.records("filling").count(), stored + 1);
    await store.close();
  });

  test("at the start is an outage, not a configuration error", async (t) => {
    const disk = makeSmallDisk(4);
    t.after(() => disk.unmount());
    disk.fill();
    await assert.rejects(openSqliteStore({ dataDir: disk.directory, log }), (error) => {
      assert.ok(!(error instanceof StoreConfigError), String(error));
      return true;
    });
    disk.free();
    await (await openSqliteStore({ dataDir: disk.directory, log })).close();
  });
});
