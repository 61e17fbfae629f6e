/** `causeway simulate`: devices that behave, on a broker. */
import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Traffic } from "../../simulate/client-connection.ts";
import type { Sector } from "../../simulate/model.ts";
import { Random } from "../../simulate/random.ts";
import { SECTORS } from "../../simulate/sectors.ts";
import { UsageError } from "../failures.ts";
import type { Output } from "../output/output.ts";
import { printable } from "../output/printable.ts";
import type { Runtime } from "../runtime.ts";
import { addExamples, integer, seconds } from "../settings/options.ts";
import { type Environment, localSettings } from "../settings/target.ts";

type SectorSummary = Pick<Sector, "name" | "summary">;

interface SimulateOptions {
  broker?: string;
  username?: string;
  password?: string;
  protocol: "3.1.1" | "5";
  devices: number;
  topicPrefix?: string;
  interval: number;
  count?: number;
  for?: number;
  seed?: string;
}

const MAX_DEVICES = 1_000;
const MIN_INTERVAL_SECONDS = 0.05;
const MAX_INTERVAL_SECONDS = 86_400;

const PASSWORD_NOTE = `
The password comes from --password or, hidden from the list of processes, from
CAUSEWAY_BROKER_PASSWORD; the user name also from CAUSEWAY_BROKER_USERNAME.
Without --broker and CAUSEWAY_BROKER_URL the devices connect to the embedded
broker of the bridge on this machine, with its settings from the environment
or .env: BROKER_PORT, BROKER_USERNAME, BROKER_PASSWORD.`;

export function addSimulate(program: Command, runtime: Runtime): void {
  const command = program
    .command("simulate")
    .summary("run simulated devices")
    .description("Runs simulated devices of a sector, which send readings and obey commands. Lists the sectors.")
    // Without a sector: the list. An unknown sector stays an error.
    .argument("[sector]")
    .action((sector: string | undefined, _options: object, self: Command) => {
      if (sector !== undefined) throw new UsageError(`there is no sector ${sector}; causeway simulate lists them`);
      return list(runtime.output(self));
    });
  for (const sector of SECTORS) addSector(command, sector, runtime);
}

async function list(output: Output): Promise<void> {
  const columns = [
    { title: "SECTOR", value: ({ name }: SectorSummary) => name },
    { title: "DEVICES", value: ({ summary }: SectorSummary) => summary },
  ];
  const summaries = SECTORS.map(({ name, summary }) => ({ name, summary }));
  await output.list(Readable.from(summaries), columns, summaries.length);
  output.note("causeway simulate SECTOR --help shows topics and commands");
}

function addSector(parent: Command, sector: Sector, runtime: Runtime): void {
  const command = parent
    .command(sector.name)
    .summary(sector.summary)
    .description(sector.description)
    .option("--broker <url>", "MQTT broker, such as mqtts://broker.example.com")
    .option("--username <name>", "user name at the broker")
    .option("--password <password>", "password at the broker; others can see it in the list of processes")
    .addOption(new Option("--protocol <version>", "version of MQTT").choices(["3.1.1", "5"]).default("3.1.1"))
    .addOption(
      new Option("--devices <number>", `number of ${sector.unit}`)
        .argParser(integer(1, MAX_DEVICES))
        .default(sector.devices),
    )
    .addOption(new Option("--interval <seconds>", "time between two readings").argParser(interval).default(2))
    .addOption(new Option("--count <rounds>", "end after this many readings of each device").argParser(integer(1)))
    .addOption(new Option("--for <seconds>", "end after this time").argParser(seconds))
    .option("--seed <text>", "repeats the values of an earlier run");
  if (sector.topicPrefix !== undefined) {
    command.addOption(
      new Option("--topic-prefix <topic>", "first levels of the topics").argParser(prefix).default(sector.topicPrefix),
    );
  }
  command.action((options: SimulateOptions, self: Command) => run(runtime, self, sector, options));
  command.addHelpText("after", `\nTopics:\n${rows(sector.publishes)}\nCommands:\n${rows(sector.obeys)}`.trimEnd());
  addExamples(command, `causeway simulate ${sector.name}`, ...sector.examples).addHelpText("after", PASSWORD_NOTE);
}

function rows(table: Sector["publishes"]): string {
  return table.map(([topic, meaning]) => `  ${topic}\n      ${meaning}\n`).join("");
}

function interval(text: string): number {
  const value = seconds(text);
  if (value < MIN_INTERVAL_SECONDS || value > MAX_INTERVAL_SECONDS)
    throw new InvalidArgumentError(`must be from ${MIN_INTERVAL_SECONDS} to ${MAX_INTERVAL_SECONDS} seconds`);
  return value;
}

function prefix(text: string): string {
  if (!/^[^/+#\p{Cc}$][^+#\p{Cc}]*(?<!\/)$/u.test(text))
    throw new InvalidArgumentError("must be a topic without wildcards, and without / at either end");
  return text;
}

async function run(runtime: Runtime, command: Command, sector: Sector, options: SimulateOptions): Promise<void> {
  const output = runtime.output(command);
  const broker = brokerOf(options, runtime.env);
  const seed = options.seed ?? randomUUID().slice(0, 8);
  const { devices, topicPrefix = "", count = Number.POSITIVE_INFINITY } = options;
  const clients = await sector.create({ devices, topicPrefix, random: new Random(seed) });
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  process.once("SIGTERM", () => stop.abort());
  // MQTT.js takes half of the time that a command needs to start.
  const { simulate } = await import("../../simulate/simulation.ts");
  await simulate(
    clients,
    {
      ...broker,
      protocolVersion: options.protocol === "5" ? 5 : 4,
      intervalMs: options.interval * 1_000,
      count,
      forMs: (options.for ?? Number.POSITIVE_INFINITY) * 1_000,
      onTraffic: (traffic) => (output.isJson ? output.json(json(traffic)) : output.line(line(traffic, output))),
      onConnection: (name, state) =>
        output.problem(`${name}: the connection is ${state}`, { code: `connection_${state}`, client: name }),
      onReady: () => output.note(`connected to ${new URL(broker.url).host}: --devices ${devices} --seed ${seed}`),
    },
    stop.signal,
  );
}

function brokerOf(options: SimulateOptions, env: Environment): { url: string; username?: string; password?: string } {
  const named = options.broker || env.CAUSEWAY_BROKER_URL;
  // The password of the broker here must not reach a broker elsewhere.
  const local = named ? {} : localSettings(env);
  const url = named || `mqtt://127.0.0.1:${local.BROKER_PORT || 1883}`;
  if (!URL.canParse(url) || !/^(mqtts?|wss?):$/.test(new URL(url).protocol))
    throw new UsageError("--broker: must be a URL such as mqtt://127.0.0.1:1883");
  const username = options.username || env.CAUSEWAY_BROKER_USERNAME || local.BROKER_USERNAME;
  const password = options.password || env.CAUSEWAY_BROKER_PASSWORD || local.BROKER_PASSWORD;
  return { url, ...(username && { username }), ...(password && { password }) };
}

/** The message as one line of JSON. */
function json({ time, client, direction, topic, qos, retain, payload }: Traffic): string {
  return JSON.stringify({ time, client, direction, topic, qos, retain, ...content(payload) });
}

function line({ time, direction, topic, payload }: Traffic, output: Output): string {
  const { payload: text, payloadBase64 } = content(payload);
  const arrow = direction === "sent" ? "->" : output.paint("yellow", "<-");
  const shown = text === undefined ? `base64:${payloadBase64}` : printable(text);
  const fields = [time.toISOString(), arrow, output.paint("cyan", printable(topic)), shown];
  return fields.join(output.isTerminal ? " " : "\t");
}

function content(payload: Buffer): { payload?: string; payloadBase64?: string } {
  const text = payload.toString();
  return Buffer.from(text).equals(payload) ? { payload: text } : { payloadBase64: payload.toString("base64") };
}
