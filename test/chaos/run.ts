/** `npm run chaos`: real processes, random faults, and a count of lost and duplicate messages. */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { findProgram } from "../support/requirements.ts";
import { chaos } from "./chaos.ts";
import { toText } from "./report.ts";

const HELP = `npm run chaos -- [options]

  --minutes n    how long messages are sent and faults happen, 0.1 to 1440 (10)
  --messages n   from devices with QoS 1, up to 1,000,000 (50000). Besides: a tenth of it with QoS 0 and with QoS 2
                 each, and to devices a twentieth with QoS 1 and a fiftieth with QoS 2
  --seed n       of the faults, 0 to 4294967295 (a random one, which is printed)
  --json file    writes the counts there too
  --help

Two bridges on one Redis (AOF, appendfsync always) and one Mosquitto (with persistence), a webhook receiver, devices and
HTTP clients. SIGKILL, SIGTERM and SIGSTOP of these processes; proxies cut, stall, delay and reset the connections of
the bridges to the broker, the store and the receiver.

Mosquitto acknowledges first and writes then, as soon as it can be made to. After a SIGKILL it has forgotten what came in
the last moment, and may send again what was complete. So whose fault it is says a witness, which reads along between
the bridges and the broker:
  lost                  a bridge had acknowledged it to the broker; or none had, and no SIGKILL of the broker came
                        within 2 s of the broker's acknowledgement or while it was on its way to a bridge
  lost by broker        the broker had acknowledged it, to the device or to the bridge, no bridge had taken it over,
                        and a SIGKILL of the broker followed
  twice in the queue    under two ids, and the next does not explain it
  sent again by broker  after a SIGKILL, although PUBACK or PUBREL had ended the exchange, or under another packet
                        identifier

Ends with 0 when nothing of QoS 1 and 2 is lost, none of QoS 2 is twice in the queue, and the books of /v1/status close;
with 1 otherwise.
`;

const DEFAULTS = { minutes: 10, messages: 50_000 };
const FAULTS = { meanGapMs: 4_000, longestMs: 10_000 };
const PATIENCE = { patienceMs: 120_000, requestsPatienceMs: 100_000 };

function options() {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string" },
      messages: { type: "string" },
      seed: { type: "string" },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const number = (name: "minutes" | "messages" | "seed", low: number, high: number, byDefault: number): number => {
    const given = values[name];
    const value = given === undefined ? byDefault : Number(given);
    const whole = name === "minutes" || Number.isInteger(value);
    if (given === "" || !whole || !(value >= low && value <= high)) {
      throw new Error(`--${name} must be a ${name === "minutes" ? "" : "whole "}number from ${low} to ${high}`);
    }
    return value;
  };
  return {
    minutes: number("minutes", 0.1, 1_440, DEFAULTS.minutes),
    messages: number("messages", 1, 1_000_000, DEFAULTS.messages),
    seed: number("seed", 0, 2 ** 32 - 1, Math.floor(Math.random() * 2 ** 32)),
    json: values.json,
    help: values.help,
  };
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

async function main(): Promise<number> {
  const { minutes, messages, seed, json, help } = options();
  if (help) {
    process.stdout.write(HELP);
    return 0;
  }
  const missing = ["mosquitto", "redis-server"].filter((name) => findProgram(name) === undefined);
  if (missing.length > 0) {
    say(`This needs ${missing.join(" and ")}: apt install ${missing.join(" ")}`);
    return 1;
  }
  const asked = { seed, minutes, messages };
  say(`npm run chaos -- --seed ${seed} --minutes ${minutes} --messages ${messages}`);
  const startedAt = new Date();
  const lengthMs = Math.round(minutes * 60_000);
  const report = await chaos({ seed, lengthMs, messages, ...FAULTS, ...PATIENCE, progress: say });
  const tookSeconds = Math.round((Date.now() - startedAt.getTime()) / 1_000);
  process.stdout.write(`\nseed ${seed}, ${minutes} min and ${tookSeconds} s in all\n\n${toText(report)}`);
  if (json) {
    const result = { ok: report.wrong.length === 0, startedAt, tookSeconds, ...asked, ...report };
    writeFileSync(json, `${JSON.stringify(result, undefined, 2)}\n`);
  }
  return report.wrong.length === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  say((error as Error).message);
  process.exitCode = 1;
}
process.exit();
