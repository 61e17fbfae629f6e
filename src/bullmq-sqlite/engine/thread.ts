import type { Database } from "./database.ts";
import type { Notice } from "./protocol.ts";

/** Runs in the engine's thread, inside the transaction of a batch. Throwing undoes this operation and no other. */
export type Procedure = (...args: never[]) => unknown;

const relaxedProcedures = new WeakSet<Procedure>();

/**
 * Marks a procedure whose change may be undone by a power cut until a later batch is synced. A batch of such operations
 * alone needs no fsync. A crash of the process loses nothing.
 */
export function relaxed<P extends Procedure>(procedure: P): P {
  relaxedProcedures.add(procedure);
  return procedure;
}

/** Default export of a module of procedures: called once when the engine opens; may create tables. */
export type ProcedureModule = (thread: Thread) => Record<string, Procedure>;

/** State that a module keeps in memory beside the database follows the transactions through these. */
export interface Hooks {
  /** An operation follows that may be undone alone: write what the operations before it collected. */
  beforeOperation?(): void;
  /** Write what the operations collected. */
  beforeCommit?(): void;
  /** Everything since the last `beforeOperation`, or else since the start, was undone: discard what was collected. */
  afterRollback?(): void;
}

/** The engine's thread as its procedures see it. */
export class Thread {
  readonly procedures = new Map<string, Procedure>();
  readonly hooks: Hooks[] = [];
  notices: Notice[] = [];
  /** For modules elsewhere, which import only types from here. */
  readonly relaxed = relaxed;

  constructor(readonly db: Database) {}

  /** Tells the main thread something after the commit. A batch that is undone sends nothing. */
  notify(topic: string, payload: unknown): void {
    this.notices.push([topic, payload]);
  }

  /** Calls another procedure, of any module, as part of the current operation. */
  call(name: string, args: readonly unknown[]): unknown {
    const procedure = this.procedures.get(name);
    if (!procedure) throw new Error(`Unknown procedure: ${name}`);
    return (procedure as (...args: readonly unknown[]) => unknown)(...args);
  }

  /** Whether the change of a procedure must be synced before it is acknowledged. */
  needsSync(name: string): boolean {
    const procedure = this.procedures.get(name);
    return procedure !== undefined && !relaxedProcedures.has(procedure);
  }

  add(module: ProcedureModule): void {
    for (const [name, procedure] of Object.entries(module(this))) {
      if (this.procedures.has(name)) throw new Error(`Procedure defined twice: ${name}`);
      this.procedures.set(name, procedure);
    }
  }
}
