import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Database } from "../../src/store/embedded/database.ts";
import { openEmbeddedStore } from "../../src/store/embedded/open.ts";
import { openStore } from "../../src/store/open.ts";
import { StoreConfigError } from "../../src/store/store.ts";
import { storeContract } from "../contracts/store.contract.ts";

const log = { info() {}, warn() {}, error() {} };
const CHILD = fileURLToPath(new URL("./embedded-child.ts", import.meta.url));

async function temporaryDirectory(): Promise<{ dataDir: string; remove(): Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), "causeway-embedded-"));
  return { dataDir, remove: () => rm(dataDir, { recursive: true, force: true }) };
}

/** Starts a process that opens the store, writes, prints "ready" and waits to be killed. */
async function storeInAnotherProcess(dataDir: string) {
  const child = spawn(process.execPath, ["--import", "tsx", CHILD, dataDir], { stdio: ["ignore", "pipe", "inherit"] });
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

storeContract("embedded", async () => {
  const { dataDir, remove } = await temporaryDirectory();
  const store = await openEmbeddedStore({ dataDir: join(dataDir, "made", "here"), log });
  return {
    store,
    async cleanup() {
      await store.close();
      await remove();
    },
  };
});

describe("embedded store", () => {
  const inUse = (dataDir: string) => (err: unknown) => {
    assert.ok(err instanceof StoreConfigError);
    assert.match(err.message, /is in use by another process/);
    assert.ok(err.message.includes(dataDir));
    return true;
  };

  test("a data directory can be opened once, and again after closing; its records persist", async () => {
    const { dataDir, remove } = await temporaryDirectory();
    const directory = join(dataDir, "data");
    const first = await openStore({ dataDir: directory, log });
    assert.equal(first.kind, "embedded");
    assert.equal((await stat(directory)).mode & 0o777, 0o700);
    await first.records("hooks").create("a", 1);
    await assert.rejects(openEmbeddedStore({ dataDir: directory, log }), inUse(directory));
    await first.ping();

    await first.close();
    await first.close();
    await assert.rejects(first.ping(), /closed/);
    const second = await openEmbeddedStore({ dataDir: directory, log });
    assert.deepEqual(await second.records("hooks").get("a"), { id: "a", value: 1, version: 1 });
    await second.close();
    await remove();
  });

  test("a directory open in another process is refused; after its kill -9 all data is there", async () => {
    const { dataDir, remove } = await temporaryDirectory();
    const child = await storeInAnotherProcess(dataDir);
    await assert.rejects(openEmbeddedStore({ dataDir, log }), inUse(dataDir));
    await child.kill();

    const store = await openEmbeddedStore({ dataDir, log });
    const records = await store.records<number>("hooks").all();
    assert.deepEqual(
      records.map((r) => r.value),
      Array.from({ length: 100 }, (_, i) => i),
    );
    assert.equal(await store.expiringKeys.setIfAbsent("key", "new", 60), "old");
    const queue = store.queues.queue<number>("jobs");
    assert.equal((await queue.getJobCounts("waiting")).waiting, 200);
    const got = new Set<number>();
    let finish = () => {};
    const all = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const worker = store.queues.worker<number>("jobs", async (job) => {
      got.add(job.data);
      if (got.size === 200) finish();
    });
    await all;
    await worker.close();
    await queue.close();
    await store.close();
    await remove();
  });

  test("a data directory that cannot be created is a configuration error that names it", async () => {
    await assert.rejects(openEmbeddedStore({ dataDir: "/dev/null/data", log }), (err: unknown) => {
      assert.ok(err instanceof StoreConfigError);
      assert.match(err.message, /\/dev\/null\/data/);
      return true;
    });
  });

  test("expired keys are removed when new ones are created", async () => {
    const { dataDir, remove } = await temporaryDirectory();
    const store = await openEmbeddedStore({ dataDir, log });
    await Promise.all(Array.from({ length: 50 }, (_, i) => store.expiringKeys.put(`short-${i}`, "x", 0)));
    await Promise.all(Array.from({ length: 60 }, (_, i) => store.expiringKeys.put(`long-${i}`, "x", 60)));
    await store.close();

    const database = await Database.open(join(dataDir, "store"), log);
    const { rows } = await database.query<{ n: number }>("SELECT count(*)::int AS n FROM causeway.claim");
    assert.deepEqual(rows, [{ n: 60 }]);
    await database.close();
    await remove();
  });

  test("a STORE_URL of another kind is refused without being repeated", async () => {
    await assert.rejects(
      openStore({ storeUrl: "postgres://me:secret@db/x", dataDir: "/nowhere", log }),
      (err: unknown) => {
        assert.ok(err instanceof StoreConfigError);
        assert.match(err.message, /STORE_URL/);
        assert.doesNotMatch(err.message, /secret/);
        return true;
      },
    );
  });
});
