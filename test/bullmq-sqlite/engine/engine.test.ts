import assert from "node:assert/strict";
import { closeSync, openSync, statSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Engine, type EngineOptions } from "../../../src/bullmq-sqlite/index.ts";
import { temporaryDirectory } from "../../support/directories.ts";
import { testModule } from "../../support/program.ts";

const PROCEDURES = testModule(new URL("procedures.ts", import.meta.url));

const newFile = () => join(temporaryDirectory("engine"), "test.db");
const open = (file = newFile(), options: Partial<EngineOptions> = {}) =>
  Engine.open({ file, modules: [PROCEDURES], ...options });

async function withEngine(run: (engine: Engine) => Promise<void>): Promise<void> {
  const engine = await open();
  try {
    await run(engine);
  } finally {
    await engine.close();
  }
}

describe("batches", { timeout: 60_000 }, () => {
  test("calls of one turn of the event loop share a transaction, later ones wait for it together", () =>
    withEngine(async (engine) => {
      const first = [engine.call<number>("test.write", "a"), engine.call<number>("test.write", "b")];
      await delay(0);
      const second = ["c", "d", "e"].map((text) => engine.call<number>("test.write", text));
      const commits = await Promise.all([...first, ...second]);
      assert.deepEqual(commits.slice(0, 2), [0, 0]);
      assert.equal(new Set(commits.slice(2)).size, 1);
      assert.deepEqual(await engine.call("test.notes"), ["a", "b", "c", "d", "e"]);
    }));

  test("a failing operation is undone alone, and keeps its error", () =>
    withEngine(async (engine) => {
      const notices: unknown[] = [];
      engine.on("test:note", (text) => notices.push(text));
      const results = await Promise.allSettled([
        engine.call("test.write", "before"),
        engine.call("test.writeThenThrow", "wrong"),
        engine.call("test.write", "after"),
        engine.call("test.missing"),
      ]);
      assert.deepEqual(
        results.map(({ status }) => status),
        ["fulfilled", "rejected", "fulfilled", "rejected"],
      );
      assert.deepEqual(await engine.call("test.notes"), ["before", "after"]);
      assert.deepEqual(notices, ["before", "after"]);
      const { reason } = results[1] as PromiseRejectedResult;
      assert.deepEqual([reason.name, reason.message, reason.code], ["RangeError", "refused: wrong", "REFUSED"]);
      assert.match((results[3] as PromiseRejectedResult).reason.message, /Unknown procedure: test\.missing/);
    }));

  test("notices arrive before the reply", () =>
    withEngine(async (engine) => {
      const seen: unknown[] = [];
      const stop = engine.on("test:note", (text) => seen.push(text));
      await engine.call("test.write", "a");
      assert.deepEqual(seen, ["a"]);
      stop();
      await engine.call("test.write", "b");
      assert.deepEqual(seen, ["a"]);
    }));

  test("a flood larger than a batch keeps its order", () =>
    withEngine(async (engine) => {
      const texts = Array.from({ length: 2_000 }, (_, n) => String(n));
      await Promise.all(texts.map((text) => engine.call("test.write", text)));
      assert.deepEqual(await engine.call("test.notes"), texts);
    }));

  test("a busy database does not hold the event loop", () =>
    withEngine(async (engine) => {
      let ticks = 0;
      const timer = setInterval(() => {
        ticks += 1;
      }, 5);
      await engine.call("test.busy", 500);
      clearInterval(timer);
      assert.ok(ticks >= 20, `${ticks} ticks in 500 ms`);
    }));
});

describe("the file", { timeout: 60_000 }, () => {
  test("a second engine on the file is refused, until the first one closes", async () => {
    const file = newFile();
    const engine = await open(file);
    await assert.rejects(open(file), { name: "EngineError", code: "LOCKED", message: /in use by another process/ });
    await engine.call("test.write", "a");
    await engine.close();
    const next = await open(file);
    assert.deepEqual(await next.call("test.notes"), ["a"]);
    await next.close();
  });

  test("a file that is no database is refused", async () => {
    const file = newFile();
    writeFileSync(file, "not a database".repeat(1_000));
    await assert.rejects(open(file), { name: "EngineError", code: "DAMAGED" });
    truncateSync(file);
    await (await open(file)).close();
  });

  test("damage inside the file rejects the operations that meet it", async () => {
    const file = newFile();
    const engine = await open(file);
    await Promise.all(Array.from({ length: 500 }, () => engine.call("test.write", "x".repeat(500))));
    await engine.close();
    const descriptor = openSync(file, "r+");
    const page = Buffer.alloc(4_096, 0xff);
    for (let offset = 3; offset * 4_096 < statSync(file).size; offset += 1)
      writeSync(descriptor, page, 0, 4_096, offset * 4_096);
    closeSync(descriptor);
    const outcome = await open(file)
      .then(
        (damaged) => damaged.call("test.notes").finally(() => damaged.close()),
        (error) => Promise.reject(error),
      )
      .then(
        () => "read",
        (error) => error.code,
      );
    assert.equal(outcome, "DAMAGED");
    truncateSync(file, 100);
    await assert.rejects(open(file), { name: "EngineError" });
  });

  test("a directory that does not exist is refused", async () => {
    const file = join(temporaryDirectory("engine"), "missing", "test.db");
    await assert.rejects(open(file), { name: "EngineError", code: "IO" });
  });

  test("a full disk rejects what needs room; the engine goes on when there is room", () =>
    withEngine(async (engine) => {
      await engine.call("test.write", "first");
      await engine.call("test.limitPages", 2);
      await assert.rejects(engine.call("test.write", "x".repeat(100_000)), { name: "EngineError", code: "FULL" });
      await engine.call("test.write", "small");
      await engine.call("test.limitPages", 1_000);
      await engine.call("test.write", "y".repeat(100_000));
      const notes = await engine.call<string[]>("test.notes");
      assert.deepEqual(
        notes.map((text) => text.slice(0, 5)),
        ["first", "small", "yyyyy"],
      );
    }));

  test("an idle engine empties the write-ahead log and gives free pages back", async () => {
    const file = newFile();
    const engine = await open(file);
    await Promise.all(Array.from({ length: 1_000 }, () => engine.call("test.write", "x".repeat(4_000))));
    await engine.call("test.clear");
    const deadline = Date.now() + 20_000;
    while (statSync(`${file}-wal`).size > 0 || statSync(file).size > 2_000_000) {
      assert.ok(Date.now() < deadline, `${statSync(`${file}-wal`).size} + ${statSync(file).size} bytes are left`);
      await delay(100);
    }
    await engine.close();
  });

  test("the write-ahead log stays bounded under load", async () => {
    const file = newFile();
    const engine = await open(file);
    let largest = 0;
    for (let round = 0; round < 12; round += 1) {
      await Promise.all(Array.from({ length: 500 }, () => engine.call("test.write", "x".repeat(4_000))));
      largest = Math.max(largest, statSync(`${file}-wal`).size);
    }
    assert.ok(largest < 16_000_000, `${largest} bytes for 24 MB written`);
    await engine.close();
  });

  test("commits are synced, unless they need not be", async () => {
    const full = await open();
    const normal = await open(newFile(), { synchronous: "normal" });
    assert.deepEqual([await full.call("test.synchronous"), await normal.call("test.synchronous")], [2, 1]);
    assert.equal(await full.call("test.relaxedSynchronous"), 1);
    // One operation of a batch that must be on disk brings the others there too.
    const batch = await Promise.all([full.call("test.relaxedSynchronous"), full.call("test.synchronous")]);
    assert.deepEqual(batch, [2, 2]);
    await Promise.all([full.close(), normal.close()]);
  });
});

describe("the end", { timeout: 60_000 }, () => {
  test("close waits for the calls before it and refuses the ones after it", async () => {
    const file = newFile();
    const engine = await open(file);
    const written = engine.call("test.write", "last");
    const closed = engine.close();
    await assert.rejects(engine.call("test.write", "late"), { name: "EngineError", code: "CLOSED" });
    await written;
    await closed;
    await engine.close();
    const next = await open(file);
    assert.deepEqual(await next.call("test.notes"), ["last"]);
    await next.close();
  });

  test("calls are rejected if the thread ends, which is reported", async () => {
    const failures: unknown[] = [];
    const engine = await open(newFile(), { onFailure: ({ code }) => failures.push(code) });
    const calls = [engine.call("test.exit"), engine.call("test.notes")];
    for (const call of calls) await assert.rejects(call, { name: "EngineError", code: "CLOSED" });
    await assert.rejects(engine.call("test.notes"), { code: "CLOSED" });
    await engine.close();
    assert.deepEqual(failures, ["CLOSED"]);
  });

  test("a close is no failure", async () => {
    const failures: unknown[] = [];
    const engine = await open(newFile(), { onFailure: (error) => failures.push(error) });
    await engine.close();
    assert.deepEqual(failures, []);
  });
});

test("the file and its log can be read by their owner only", async () => {
  const file = newFile();
  const engine = await open(file);
  try {
    await engine.call("test.write", "a");
    for (const name of [file, `${file}-wal`]) assert.equal(statSync(name).mode & 0o777, 0o600, name);
  } finally {
    await engine.close();
  }
});
