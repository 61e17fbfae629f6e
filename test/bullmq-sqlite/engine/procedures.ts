/** Procedures for the tests of the engine. */
import type { ProcedureModule, Thread } from "../../../src/bullmq-sqlite/index.ts";

function testProcedures(thread: Thread) {
  const { db, relaxed } = thread;
  db.exec("CREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY, text TEXT NOT NULL)");
  let commits = 0;
  thread.hooks.push({
    beforeCommit: () => {
      commits += 1;
    },
  });
  const write = (text: string): number => {
    db.run("INSERT INTO note (text) VALUES (?)", [text]);
    thread.notify("test:note", text);
    return commits;
  };
  return {
    "test.write": write,
    "test.writeThenThrow": (text: string) => {
      write(text);
      throw Object.assign(new RangeError(`refused: ${text}`), { code: "REFUSED" });
    },
    "test.notes": () => db.values<string>("SELECT text FROM note ORDER BY id"),
    "test.clear": () => db.run("DELETE FROM note"),
    /** Stands for a full disk: the file may not grow beyond its present size plus some pages. */
    "test.limitPages": (spare: number) =>
      db.value(`PRAGMA max_page_count = ${(db.value<number>("PRAGMA page_count") ?? 0) + spare}`),
    "test.busy": (ms: number) => {
      const end = Date.now() + ms;
      while (Date.now() < end);
    },
    "test.exit": () => process.exit(3),
    "test.relaxedSynchronous": relaxed(() => db.value<number>("PRAGMA synchronous")),
    "test.synchronous": () => db.value<number>("PRAGMA synchronous"),
    "test.pages": () => [db.value<number>("PRAGMA page_count"), db.value<number>("PRAGMA freelist_count")],
    /** Adds a job and writes a note: both or none. */
    "test.addJobAndNote": (queue: string, id: string, fail: boolean) => {
      const job = { id, name: "a", data: "{}", opts: "{}", timestamp: Date.now(), delay: 0, priority: 0, lifo: false };
      thread.call("bullmq.add", [queue, job]);
      write(id);
      if (fail) throw new Error("both or none");
    },
    /** Counts the changes of jobs with triggers, as an application's ledger does. */
    "test.countJobs": () =>
      db.exec(`
        CREATE TABLE ledger (queue INTEGER, state TEXT, n INTEGER, PRIMARY KEY (queue, state));
        CREATE TRIGGER ledger_add AFTER INSERT ON bullmq_job BEGIN
          INSERT INTO ledger VALUES (NEW.queue, NEW.state, 1) ON CONFLICT DO UPDATE SET n = n + 1;
        END;
        CREATE TRIGGER ledger_move AFTER UPDATE OF state ON bullmq_job WHEN NEW.state <> OLD.state BEGIN
          INSERT INTO ledger VALUES (NEW.queue, NEW.state, 1) ON CONFLICT DO UPDATE SET n = n + 1;
        END;`),
    "test.ledger": () => db.rows<[string, number]>("SELECT state, n FROM ledger ORDER BY state"),
  };
}

export default testProcedures satisfies ProcedureModule;
