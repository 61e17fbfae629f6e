/** `causeway request`: asks a device and prints its response. */
import { type Command, Option } from "commander";
import type { RequestInput } from "../../client/index.ts";
import { printable } from "../output/printable.ts";
import type { Runtime } from "../runtime.ts";
import {
  addExamples,
  type FormatName,
  type NamedValues,
  pairs,
  payloadFields,
  payloadFormatOption,
  present,
  qosOption,
  readPayload,
  seconds,
} from "../settings/options.ts";

interface RequestFlags {
  file?: string;
  timeout?: number;
  qos?: 0 | 1 | 2;
  responseTopic?: string;
  match?: "correlation" | "topic" | "first";
  contentType?: string;
  payloadFormat?: FormatName;
  property?: NamedValues;
}

export function addRequest(program: Command, runtime: Runtime): void {
  const command = program
    .command("request")
    .summary("ask a device and print its response")
    .description("Publishes a request and prints the payload of the device's response.")
    .argument("<topic>", "topic that the device subscribes to; may contain {requestId}")
    .argument("[payload]", "payload as text, or - for standard input; text may contain {requestId}")
    .option("--file <path>", "take the payload from a file")
    .option("--timeout <seconds>", "how long to wait for the response (default: 10)", seconds)
    .addOption(qosOption())
    .option("--response-topic <topic>", "topic of the response; may contain {requestId}")
    .addOption(new Option("--match <how>", "how the response is recognized").choices(["correlation", "topic", "first"]))
    .option("--content-type <type>", "MQTT 5 content type")
    .addOption(payloadFormatOption("encode the JSON payload"))
    .option("--property <name=value>", "MQTT 5 user property; may be repeated", pairs)
    .action((topic, payload, options: RequestFlags, self: Command) => run(runtime, self, { topic, payload, options }));
  addExamples(
    command,
    "causeway request devices/pi-7/rpc status --timeout 5",
    'causeway request devices/pi-7/rpc/{requestId} \'{"get":"uptime"}\' --response-topic devices/pi-7/rpc/{requestId}/response',
  );
}

async function run(
  runtime: Runtime,
  command: Command,
  { topic, payload, options }: { topic: string; payload: string | undefined; options: RequestFlags },
): Promise<void> {
  const { timeout, qos, responseTopic, match, contentType, payloadFormat, property } = options;
  const bytes = await readPayload(payload, options.file);
  const request: RequestInput = {
    topic,
    ...(payloadFormat === undefined ? payloadField(bytes) : payloadFields(bytes, payloadFormat)),
    ...present({ timeoutSeconds: timeout, qos, responseTopic, match, contentType, userProperties: property }),
  };
  const causeway = await runtime.client(command);
  const result = await causeway.requests.send(request);
  const output = runtime.output(command);
  if (output.isJson) return output.document(result);
  const { response } = result;
  if (output.isTerminal) output.note(`${response.topic} after ${Math.round(result.durationMs)} ms`);
  const { payloadBase64 } = response;
  if (payloadBase64 !== undefined) {
    if (output.isTerminal) output.line(`base64:${payloadBase64}`);
    else output.raw(Buffer.from(payloadBase64, "base64"));
    return;
  }
  const text = typeof response.payload === "string" ? response.payload : JSON.stringify(response.payload);
  if (output.isTerminal) for (const line of text.split("\n")) output.line(printable(line));
  else output.line(text);
}

/** Text as text, since the bridge fills in `{requestId}` there; other bytes as base64. */
function payloadField(bytes: Buffer): Pick<RequestInput, "payload" | "payloadBase64"> {
  const text = bytes.toString();
  return Buffer.from(text).equals(bytes) ? { payload: text } : { payloadBase64: bytes.toString("base64") };
}
