/** `npm run fuzz`: random calls generated from the contract, and a report of invalid responses. */
import { parseArgs } from "node:util";
import { fuzz } from "./fuzz.ts";
import { GROUPS, type Group } from "./hostile.ts";
import { BROKERS, STORES } from "./world.ts";

const HELP = `npm run fuzz -- [options]

  --calls n              how many, 1 to 10,000,000 (5000)
  --seed n               0 to 4294967295 (a random one, which is printed)
  --concurrency n        calls at a time, 1 to 64 (16)
  --store name           ${STORES.join(" or ")} (embedded)
  --broker name          ${BROKERS.join(" or ")} (embedded)
  --without group        leaves out a group of hostile values: ${GROUPS.join(", ")}; may be repeated
  --statuses             prints how each operation was answered
  --help

Calls are made from openapi/openapi.yaml: good ones, good ones with something changed, and hostile ones, by several keys
and with the ids that earlier calls gave; some are raw bytes on a socket. Each answer must be one that the contract has
for the operation, in the form it says, to a key that may have it. 5xx is a fault, but for 504 of a request that no
device answers. Every 1,000 calls the bridge must be ready, and a message must reach a webhook, a stream and a device
that answers a request. The log must hold no errors, and memory must not grow.

The same seed makes the same calls, except for ids and for races between calls that run at the same time; with
--concurrency 1 there are none. A fault is printed with its call as a command for a bridge with that key and URL.

Ends with 0 when nothing is wrong, else with 1.
`;

function options() {
  const { values } = parseArgs({
    options: {
      calls: { type: "string" },
      seed: { type: "string" },
      concurrency: { type: "string" },
      store: { type: "string" },
      broker: { type: "string" },
      without: { type: "string", multiple: true, default: [] },
      statuses: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const number = (name: "calls" | "seed" | "concurrency", low: number, high: number, byDefault: number): number => {
    const value = Number(values[name] ?? byDefault);
    if (values[name] !== "" && Number.isInteger(value) && value >= low && value <= high) return value;
    throw new Error(`--${name} must be a whole number from ${low} to ${high}`);
  };
  const oneOf = <T extends string>(name: string, allowed: readonly T[], value: string): T => {
    if ((allowed as readonly string[]).includes(value)) return value as T;
    throw new Error(`--${name} must be ${allowed.join(" or ")}`);
  };
  return {
    calls: number("calls", 1, 10_000_000, 5_000),
    seed: number("seed", 0, 2 ** 32 - 1, Math.floor(Math.random() * 2 ** 32)),
    concurrency: number("concurrency", 1, 64, 16),
    store: oneOf("store", STORES, values.store ?? "embedded"),
    broker: oneOf("broker", BROKERS, values.broker ?? "embedded"),
    without: new Set(values.without.map((name): Group => oneOf("without", GROUPS, name))),
    statuses: values.statuses,
    help: values.help,
  };
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

async function main(): Promise<number> {
  const { help, statuses, ...asked } = options();
  if (help) {
    process.stdout.write(HELP);
    return 0;
  }
  const { calls, seed, store, broker } = asked;
  say(`npm run fuzz -- --seed ${seed} --calls ${calls} --store ${store} --broker ${broker}`);
  const report = await fuzz({ ...asked, progress: say });
  const { faults, megabytes, callsPerSecond, neverSucceeded } = report;
  if (statuses) {
    for (const [name, counts] of [...report.statuses].sort()) {
      say(
        `${name}: ${[...counts]
          .sort()
          .map(([status, count]) => `${status} ×${count}`)
          .join(", ")}`,
      );
    }
  }
  if (neverSucceeded.length > 0) say(`never succeeded: ${neverSucceeded.join(", ")}`);
  const memory = `${Math.round(megabytes.half)} MB after half of the calls, ${Math.round(megabytes.end)} MB after all`;
  say(`seed ${seed}: ${faults.length} faults, ${Math.round(callsPerSecond)} calls/s, ${memory}`);
  return faults.length === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  say((error as Error).message);
  process.exitCode = 1;
}
process.exit();
