import { EngineError, toWire, type WireError } from "./errors.ts";
import type { Notice, Operation } from "./protocol.ts";
import type { Thread } from "./thread.ts";

export interface BatchResult {
  results: unknown[];
  errors: [index: number, error: WireError][];
  notices: Notice[];
}

/**
 * Waits for another writer, such as the `sqlite3` command. A transaction that first reads would not wait:
 * SQLite refuses its first write at once if the file has changed since.
 */
const BEGIN = "BEGIN IMMEDIATE";

/**
 * Runs a batch of operations in one transaction, hence with one fsync, or none if all operations are relaxed. An
 * operation that fails is undone alone.
 *
 * Savepoints cost a third of a small operation and operations rarely throw, so the first run has none. If an operation
 * throws, everything is undone and runs again with a savepoint each, which gives the same result as savepoints from
 * the start.
 */
export function runBatch(thread: Thread, operations: Operation[]): BatchResult {
  thread.db.syncCommits(operations.some(([name]) => thread.needsSync(name)));
  try {
    return runUnprotected(thread, operations);
  } catch (error) {
    undo(thread);
    if (error instanceof EngineError || operations.length === 1) return allFailed(operations, error);
  }
  try {
    return runProtected(thread, operations);
  } catch (error) {
    undo(thread);
    return allFailed(operations, error);
  }
}

function runUnprotected(thread: Thread, operations: Operation[]): BatchResult {
  thread.db.exec(BEGIN);
  const results = operations.map(([name, args]) => thread.call(name, args));
  return commit(thread, results, []);
}

function runProtected(thread: Thread, operations: Operation[]): BatchResult {
  const { db } = thread;
  const errors: BatchResult["errors"] = [];
  db.exec(BEGIN);
  const results = operations.map(([name, args], index) => {
    const notices = thread.notices.length;
    for (const hook of thread.hooks) hook.beforeOperation?.();
    db.exec("SAVEPOINT operation");
    try {
      const result = thread.call(name, args);
      db.exec("RELEASE operation");
      return result;
    } catch (error) {
      // The file is the trouble, not the operation; SQLite may have ended the transaction already.
      if (error instanceof EngineError) throw error;
      db.exec("ROLLBACK TO operation");
      db.exec("RELEASE operation");
      thread.notices.length = notices;
      for (const hook of thread.hooks) hook.afterRollback?.();
      errors.push([index, toWire(error)]);
      return undefined;
    }
  });
  return commit(thread, results, errors);
}

function commit(thread: Thread, results: unknown[], errors: BatchResult["errors"]): BatchResult {
  for (const hook of thread.hooks) hook.beforeCommit?.();
  thread.db.exec("COMMIT");
  const { notices } = thread;
  thread.notices = [];
  return { results, errors, notices };
}

function undo(thread: Thread): void {
  if (thread.db.inTransaction) thread.db.exec("ROLLBACK");
  thread.notices = [];
  for (const hook of thread.hooks) hook.afterRollback?.();
}

function allFailed(operations: Operation[], error: unknown): BatchResult {
  const wire = toWire(error);
  return { results: [], errors: operations.map((_, index) => [index, wire]), notices: [] };
}
