/** The embedded broker on a file of its own. */
import { join } from "node:path";
import { Engine } from "../../../src/bullmq-sqlite/index.ts";
import {
  type EmbeddedBroker,
  type EmbeddedBrokerOptions,
  startEmbeddedBroker,
} from "../../../src/mqtt/embedded/broker.ts";
import { BROKER_PROCEDURES, type BrokerFile } from "../../../src/mqtt/embedded/sqlite-persistence.ts";
import { memoryLog } from "../support.ts";

export type StartOptions = Partial<Omit<EmbeddedBrokerOptions, "file">> & {
  dataDir: string;
  /** Runs before each call of a procedure; may throw in its place. */
  beforeCall?(procedure: string): Promise<unknown> | undefined;
};

/** Starts the broker on a free port; its `close` also closes the file. */
export async function startBroker({ dataDir, beforeCall, ...options }: StartOptions): Promise<EmbeddedBroker> {
  const engine = await Engine.open({ file: join(dataDir, "causeway.db"), modules: [BROKER_PROCEDURES] });
  const file: BrokerFile = {
    async call(procedure, ...args) {
      await beforeCall?.(procedure);
      return engine.call(procedure, ...args);
    },
  };
  const broker = await startEmbeddedBroker({ host: "127.0.0.1", port: 0, log: memoryLog(), ...options, file });
  return {
    ...broker,
    async close() {
      await broker.close();
      await engine.close();
    },
  };
}
