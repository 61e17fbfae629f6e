/** The procedures of the queues, loaded in the engine's thread. */
import type { ProcedureModule, Thread } from "../engine/thread.ts";
import { Adding, addProcedures } from "./add.ts";
import { cleanProcedures } from "./clean.ts";
import { createContext } from "./context.ts";
import { Deduplication, deduplicationProcedures } from "./deduplication.ts";
import { dependencyProcedures } from "./dependencies.ts";
import { detailProcedures } from "./details.ts";
import { eventProcedures } from "./events.ts";
import { Finishing, finishProcedures } from "./finish.ts";
import { listProcedures } from "./lists.ts";
import { lockProcedures } from "./locks.ts";
import { metricsProcedures } from "./metrics.ts";
import { moveProcedures } from "./move.ts";
import { Removal, removeProcedures } from "./remove.ts";
import { retryFinishedProcedures } from "./retry-finished.ts";
import { schedulerProcedures } from "./schedulers.ts";
import { createTables } from "./schema.ts";
import { Taking, takeProcedures } from "./take.ts";

function bullmqProcedures(thread: Thread) {
  createTables(thread);
  const context = createContext(thread);
  const deduplication = new Deduplication(context);
  const adding = new Adding(context, deduplication);
  const taking = new Taking(context);
  const finishing = new Finishing(context, taking, adding, deduplication);
  const removal = new Removal(context, deduplication);
  return {
    ...addProcedures(context, adding),
    ...takeProcedures(context, taking),
    ...finishProcedures(context, finishing),
    ...moveProcedures(context, taking),
    ...retryFinishedProcedures(context),
    ...lockProcedures(context),
    ...deduplicationProcedures(context, deduplication),
    ...listProcedures(context),
    ...dependencyProcedures(context),
    ...removeProcedures(context, removal),
    ...cleanProcedures(context, removal),
    ...detailProcedures(context),
    ...metricsProcedures(context),
    ...eventProcedures(context.queues, context.events),
    ...schedulerProcedures(context, adding, removal),
  };
}

export default bullmqProcedures satisfies ProcedureModule;
