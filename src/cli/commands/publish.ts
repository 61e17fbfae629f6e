/** `causeway publish`: one message, or one for each line of standard input. */
import { createReadStream, fstatSync, statSync } from "node:fs";
import { type Command, Option } from "commander";
import type { MessageInput, PublishResult, StoredPublish } from "../../client/index.ts";
import { UsageError } from "../failures.ts";
import type { Runtime } from "../runtime.ts";
import {
  addExamples,
  type FormatName,
  future,
  integer,
  type NamedValues,
  pairs,
  payloadFields,
  payloadFormatOption,
  present,
  qosOption,
  readPayload,
} from "../settings/options.ts";
import { publishLines } from "./publish-lines.ts";

interface PublishOptions {
  file?: string;
  lines?: true;
  qos?: 0 | 1 | 2;
  retain?: true;
  expiry?: number;
  contentType?: string;
  payloadFormat?: FormatName;
  responseTopic?: string;
  correlationData?: string;
  property?: NamedValues;
  durable?: true;
  sendAt?: string;
  idempotencyKey?: string;
}

export function addPublish(program: Command, runtime: Runtime): void {
  const command = program
    .command("publish")
    .summary("publish a message to devices")
    .description("Publishes a message, and ends when the broker has acknowledged it.")
    .argument("[topic]", "topic name; not with --lines")
    .argument("[payload]", "payload as text, or - for standard input")
    .option("--file <path>", "take the payload, or with --lines the messages, from a file")
    .addOption(qosOption())
    .option("--retain", "let the broker keep the message for later subscribers; an empty payload removes it")
    .addOption(new Option("--expiry <seconds>", "MQTT 5 message expiry").argParser(integer(0, 4_294_967_295)))
    .option("--content-type <type>", "MQTT 5 content type")
    .addOption(payloadFormatOption("encode the JSON payload"))
    .option("--response-topic <topic>", "MQTT 5 response topic")
    .option("--correlation-data <text>", "MQTT 5 correlation data")
    .option("--property <name=value>", "MQTT 5 user property; may be repeated", pairs)
    .option("--durable", "store the message: the bridge publishes it once the broker is available")
    .option("--send-at <time>", "store the message until this time, or for a duration such as 90m", future)
    .option("--lines", "publish one message for each line of NDJSON, with the fields of the API")
    .option("--idempotency-key <key>", "a key of your own: repeating the call within 24 hours changes nothing")
    .action((topic, payload, options: PublishOptions, self: Command) =>
      run(runtime, self, { topic, payload, options }),
    );
  addExamples(
    command,
    `causeway publish devices/pi-7/commands '{"led":"on"}'`,
    "causeway publish devices/pi-7/config - --retain < config.json",
    "causeway publish devices/pi-7/commands reboot --durable --expiry 3600",
    `echo '{"topic":"devices/pi-7/commands","payload":{"led":"on"},"qos":2}' | causeway publish --lines`,
  );
}

interface PublishArguments {
  topic: string | undefined;
  payload: string | undefined;
  options: PublishOptions;
}

async function run(runtime: Runtime, command: Command, { topic, payload, options }: PublishArguments): Promise<void> {
  if (options.lines) return runLines(runtime, command, { topic, payload, options });
  if (topic === undefined) throw new UsageError("give a TOPIC and a PAYLOAD, or --lines");
  const { qos, retain, expiry, contentType, payloadFormat, responseTopic, correlationData, property } = options;
  const { idempotencyKey } = options;
  const bytes = await readPayload(payload, options.file);
  const message: MessageInput = {
    topic,
    ...payloadFields(bytes, payloadFormat),
    ...present({ qos, retain, contentType, responseTopic, sendAt: options.sendAt }),
    ...present({ expirySeconds: expiry, userProperties: property }),
    ...(correlationData !== undefined && { correlationData: Buffer.from(correlationData).toString("base64") }),
  };
  const causeway = await runtime.client(command);
  const isStored = options.durable || options.sendAt !== undefined;
  const result: PublishResult | StoredPublish = isStored
    ? await causeway.messages.publishLater(message, { idempotencyKey })
    : await causeway.messages.publish(message, { idempotencyKey });
  const output = runtime.output(command);
  output.document(result, [result.outcome, result.id, result.topic].join(output.isTerminal ? "  " : "\t"));
  if (result.noMatchingSubscribers) output.note("no client is subscribed to this topic");
}

async function runLines(
  runtime: Runtime,
  command: Command,
  { topic, payload, options }: PublishArguments,
): Promise<void> {
  const { file, lines, idempotencyKey, ...others } = options;
  const [other] = Object.keys(others);
  if (topic !== undefined || payload !== undefined || other !== undefined) {
    throw new UsageError(`--lines takes ${other ?? "the topic and the payload"} from each line of its input`);
  }
  const totalBytes = sizeOf(file);
  const input = file === undefined ? process.stdin : createReadStream(file);
  const causeway = await runtime.client(command);
  const output = runtime.output(command);
  runtime.exitCode = await publishLines({ causeway, output, input, totalBytes, idempotencyKey });
}

/** Size of the file, or of the one behind standard input; undefined for pipes and terminals. */
function sizeOf(file: string | undefined): number | undefined {
  try {
    const found = file === undefined ? fstatSync(process.stdin.fd) : statSync(file);
    return found.isFile() ? found.size : undefined;
  } catch (error) {
    throw new UsageError(`${file ?? "standard input"} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}
