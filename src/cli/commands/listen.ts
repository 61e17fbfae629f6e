/** `causeway listen`: a pull webhook on this machine, whose messages are printed and forwarded. */
import { createHash } from "node:crypto";
import { hostname } from "node:os";
import { type Command, Option } from "commander";
import { onKeys } from "../listen/keys.ts";
import { LocalListener } from "../listen/listener.ts";
import type { Runtime } from "../runtime.ts";
import { addExamples, integer, repeated } from "../settings/options.ts";

interface ListenOptions {
  topic: string[];
  forwardTo?: string;
  secret?: string;
  lease: number;
  count?: number;
  delete?: true;
}

/** A receiver that is away for a night uses up no delivery: fifty retries, each as long as a lease. */
const RETRY = { scheduleSeconds: Array.from({ length: 50 }, () => 1) };

export function addListen(program: Command, runtime: Runtime): void {
  const command = program
    .command("listen")
    .summary("receive messages on this machine, and forward them")
    .description(
      "Prints the messages on the topics, and forwards each to a URL until it responds with 2xx. The bridge keeps " +
        "messages while this program does not run: it has a pull webhook for this machine and these topics.",
    )
    .addOption(
      new Option("--topic <filter>", "topic filter; may be repeated").argParser(repeated).makeOptionMandatory(),
    )
    .option("--forward-to <url>", "where events are posted, as the bridge posts them")
    .option("--secret <secret>", "signs the forwarded events: whsec_ and base64")
    .addOption(
      new Option("--lease <seconds>", "time to process an event before it comes again")
        .argParser(integer(2, 3_600))
        .default(300),
    )
    .addOption(new Option("--count <events>", "end after this many").argParser(integer(1)))
    .option("--delete", "delete the webhook at the end, with what it keeps")
    .action((options: ListenOptions, self: Command) => run(runtime, self, options));
  addExamples(
    command,
    "causeway listen --topic 'devices/+/telemetry'",
    "causeway listen --topic 'devices/#' --forward-to http://127.0.0.1:9000/hook",
    "causeway listen --topic 'devices/#' --json --count 1 --delete",
  );
}

async function run(runtime: Runtime, command: Command, options: ListenOptions): Promise<void> {
  const { topic: topics, forwardTo, secret, lease: leaseSeconds, count = Number.POSITIVE_INFINITY } = options;
  const causeway = await runtime.client(command);
  const output = runtime.output(command);
  const name = `causeway listen on ${hostname()}`.slice(0, 200);
  const { id } = await causeway.webhooks.put(externalIdOf(topics), { type: "pull", topics, name, retry: RETRY });
  const receiver = forwardTo === undefined ? undefined : { url: forwardTo, secret };
  const listener = new LocalListener({ causeway, webhookId: id, receiver, leaseSeconds, count, output });
  const stop = () => listener.stop();
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  const hasKeys = output.isTerminal && process.stdin.isTTY;
  output.note(`listening with ${id}`);
  const offKeys = hasKeys
    ? onKeys(process.stdin, {
        r: () => void listener.retry(),
        p: () => listener.togglePause(),
        i: () => listener.inspect(),
        q: stop,
      })
    : () => {};
  // After the mode of the terminal is set: a key pressed before it is echoed.
  if (hasKeys) output.note(`keys: ${receiver ? "r retry, " : ""}i inspect, p pause, q quit`);
  try {
    await listener.run();
  } finally {
    offKeys();
  }
  if (options.delete) {
    await causeway.webhooks.delete(id);
    output.note(`deleted ${id}`);
  } else {
    output.note("messages are kept; to end that:");
    output.note(`  causeway webhooks delete ${id}`);
  }
}

/** The same for each run on this machine with these topics. */
function externalIdOf(topics: readonly string[]): string {
  const text = [hostname(), ...[...new Set(topics)].sort()].join("\n");
  return `listen-${createHash("sha256").update(text).digest("hex").slice(0, 24)}`;
}
