export { createSqliteBackend, SqliteQueueBackend } from "./backend.ts";
export { SqliteConnection, type SqliteOptions } from "./connection.ts";
export { Database, type SqlValue } from "./engine/database.ts";
export { Engine, type EngineOptions } from "./engine/engine.ts";
export { EngineError, type EngineErrorCode } from "./engine/errors.ts";
export type { Procedure, ProcedureModule, Thread } from "./engine/thread.ts";
