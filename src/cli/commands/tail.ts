/** `causeway tail`: the messages of devices as they arrive. */
import { type Command, Option } from "commander";
import { type CloudEvent, payloadText } from "../../client/index.ts";
import { failureOf } from "../failures.ts";
import type { Output } from "../output/output.ts";
import { printable } from "../output/printable.ts";
import type { Runtime } from "../runtime.ts";
import { addExamples, integer } from "../settings/options.ts";

export function addTail(program: Command, runtime: Runtime): void {
  const command = program
    .command("tail")
    .summary("print messages as they arrive")
    .description(
      "Prints the time, topic and payload of each message, until Ctrl-C. Connects again when the connection is lost.",
    )
    .argument("<filter...>", "topic filters")
    .addOption(new Option("--count <messages>", "end after this many").argParser(integer(1)))
    .action((filters: string[], options: { count?: number }, self: Command) => run(runtime, self, filters, options));
  addExamples(
    command,
    "causeway tail 'devices/+/telemetry'",
    "causeway tail 'devices/#' --json | jq .data",
    "causeway tail 'devices/pi-7/#' --count 1",
  );
}

async function run(
  runtime: Runtime,
  command: Command,
  filters: string[],
  { count }: { count?: number },
): Promise<void> {
  const causeway = await runtime.client(command);
  const output = runtime.output(command);
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  process.once("SIGTERM", () => stop.abort());
  const onReconnect = (cause: unknown) => {
    const { detail } = failureOf(cause);
    const text = `the connection was lost and is opened again, messages in between are missed: ${detail}`;
    output.problem(text, { code: "reconnecting", detail });
  };
  let left = count ?? Number.POSITIVE_INFINITY;
  for await (const event of causeway.stream(filters, { signal: stop.signal, onReconnect })) {
    if (output.isJson) output.json(eventJson(event));
    else output.line(eventLine(event, output));
    if (--left === 0) return;
  }
}

/** The event on one line, JSON payloads as the device sent them: `1.10` stays `1.10`. */
export function eventJson(event: CloudEvent): string {
  const { data, ...rest } = event;
  if (data === undefined) return JSON.stringify(event);
  // Only text and JSON strings are strings, and for them both ways mean the same.
  const source = typeof data === "string" ? JSON.stringify(data) : payloadText(event).replaceAll(/[\r\n]/g, " ");
  return `${JSON.stringify(rest).slice(0, -1)},"data":${source}}`;
}

export function eventLine(event: CloudEvent, output: Output): string {
  const { time, subject, data_base64: base64 } = event;
  const payload = base64 === undefined ? printable(payloadText(event)) : `base64:${base64}`;
  if (!output.isTerminal) return [time, printable(subject), payload].join("\t");
  return `${output.paint("dim", localTime(time))}  ${output.paint("cyan", printable(subject))}  ${payload}`;
}

function localTime(time: string): string {
  const at = new Date(time);
  const two = (value: number) => String(value).padStart(2, "0");
  const milliseconds = String(at.getMilliseconds()).padStart(3, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${milliseconds}`;
}
