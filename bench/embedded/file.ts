/** Size of the database file after many deliveries with the default retention, and whether it still grows. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { typical } from "../support/comparison.ts";
import { perSecond } from "../support/figures.ts";
import type { Context, Scenario, Stage } from "../support/scenario.ts";
import { temporaryDirectory } from "../support/servers.ts";
import { flood } from "./flow.ts";
import { openPath } from "./path.ts";

const FIRST = 100_000;
const MORE = 20_000;
/** Messages at a time; retention removes what succeeded in between as it does in operation. */
const PORTION = 5_000;
/** Time limits, in seconds: a slow machine delivers fewer messages, and the figures say how many. */
const FIRST_SECONDS = 60;
const MORE_SECONDS = 15;

export const file: Scenario = {
  name: "embedded-file",
  title: `size of the database file after ${FIRST.toLocaleString("en")} deliveries, and after ${MORE.toLocaleString("en")} more`,
  targets: [
    { metric: "size", unit: "MB", atMost: 60 },
    { metric: "growth", unit: "x", atMost: 1.05 },
  ],
  seconds: 60,
  mostRounds: 1,
  compared: ["size"],
  open,
};

async function open(context: Context): Promise<Stage> {
  const directory = temporaryDirectory("bridge");
  const path = await openPath(context, { directory });
  const deliver = async (count: number, seconds: number) => {
    const until = performance.now() + seconds * 1_000;
    let sent = 0;
    for (; sent < count && performance.now() < until; sent += PORTION) await flood(path, PORTION);
    return sent;
  };
  return {
    bridge: {
      async run() {
        const startedAt = performance.now();
        const first = await deliver(context.quick ? FIRST / 5 : FIRST, FIRST_SECONDS);
        const size = databaseMb(directory);
        const more = await deliver(MORE, MORE_SECONDS);
        const later = databaseMb(directory);
        return { first, size, more, later, rate: (first + more) / ((performance.now() - startedAt) / 1_000) };
      },
    },
    summarize(rounds) {
      const of = (key: string) => typical(rounds, "bridge", key);
      return {
        measured: { size: of("size"), growth: of("later") / of("size") },
        figures: {
          [`after ${of("first").toLocaleString("en")}`]: `${of("size").toFixed(1)} MB`,
          [`after ${of("more").toLocaleString("en")} more`]: `${of("later").toFixed(1)} MB`,
          rate: perSecond(of("rate")),
        },
      };
    },
  };
}

/** The database with its write-ahead log, in MB. */
function databaseMb(directory: string): number {
  const files = readdirSync(directory).filter((name) => name.startsWith("causeway.db"));
  return files.reduce((sum, name) => sum + statSync(join(directory, name)).size, 0) / 1e6;
}
