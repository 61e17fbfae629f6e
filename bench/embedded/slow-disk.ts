/** The flood of `embedded-flow` on a disk whose fsync takes long, as on an SD card: the event loop must not wait for it. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findProgram } from "../../test/support/requirements.ts";
import { typical } from "../support/comparison.ts";
import { ms, perSecond } from "../support/figures.ts";
import type { Context, Scenario, Stage } from "../support/scenario.ts";
import { temporaryDirectory } from "../support/servers.ts";
import { flood } from "./flow.ts";
import { openPath } from "./path.ts";

const FSYNC_MS = 50;
const MESSAGES = 3_000;
const SOURCE = fileURLToPath(new URL("../children/slow-fsync.c", import.meta.url));

export const slowDisk: Scenario = {
  name: "embedded-slow-disk",
  title: `the same flood with an fsync that takes ${FSYNC_MS} ms longer: event-loop delay`,
  targets: [{ metric: "loop p99", unit: "ms", atMost: 20 }],
  seconds: 20,
  compared: ["loop", "rate"],
  open,
};

async function open(context: Context): Promise<Stage> {
  const path = await openPath(context, { env: { LD_PRELOAD: slowFsync(), FSYNC_MS: String(FSYNC_MS) } });
  const count = context.quick ? MESSAGES / 5 : MESSAGES;
  return {
    bridge: { warmUp: () => flood(path, count / 5), run: () => flood(path, count) },
    summarize(rounds) {
      const of = (key: string) => typical(rounds, "bridge", key);
      return {
        measured: { "loop p99": of("loop") },
        figures: { "event loop late by p99": ms(of("loop")), rate: perSecond(of("rate")), messages: String(count) },
      };
    },
  };
}

/** Compiles the library that makes fsync slow, and returns its path. */
function slowFsync(): string {
  const compiler = findProgram("cc");
  if (!compiler) throw new Error("this scenario needs a C compiler: apt install gcc");
  const library = join(temporaryDirectory("fsync"), "slow-fsync.so");
  execFileSync(compiler, ["-shared", "-fPIC", "-O1", "-o", library, SOURCE]);
  return library;
}
