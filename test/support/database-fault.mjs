/** Preload for `--import`: an exception that nothing catches in the database's thread, once the file DATABASE_FAULT exists. */
import { existsSync } from "node:fs";
import { isMainThread, workerData } from "node:worker_threads";

if (!isMainThread && workerData?.file) {
  setInterval(() => {
    if (existsSync(process.env.DATABASE_FAULT)) throw new Error("injected fault");
  }, 10).unref();
}
