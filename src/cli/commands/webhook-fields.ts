/** Fields of a webhook as options. `--data` takes all others. */
import { type Command, Option } from "commander";
import {
  type FormatName,
  integer,
  type NamedValues,
  pairs,
  payloadFormatOption,
  present,
  qosOption,
  readJson,
  repeated,
} from "../settings/options.ts";
import { type PresetFields, readPreset } from "./presets.ts";

export interface WebhookFields extends PresetFields {
  data?: string;
  type?: "push" | "pull";
  url?: string;
  topic?: string[];
  name?: string;
  enabled?: boolean;
  qos?: 0 | 1 | 2;
  mode?: "structured" | "binary";
  header?: NamedValues;
  secret?: string;
  payloadFormat?: FormatName;
  filter?: string;
  transform?: string;
  ordering?: "none" | "topic" | "strict";
  concurrency?: number;
  timeoutMs?: number;
  replyTopic?: string;
}

export function addWebhookFields(command: Command): Command {
  return command
    .option(
      "--data <json>",
      "fields as in the API: JSON, @file, or - for standard input; the options below take precedence",
    )
    .option("--preset <preset>", "fields for a well-known service, see `causeway webhooks presets`")
    .option("--set <input=value>", "value of an input of the preset; may be repeated", pairs)
    .option("--set-file <input=path>", "the same from a file, which keeps secrets out of the process list", pairs)
    .option("--url <url>", "URL of the receiver")
    .option("--topic <filter>", "topic filter; may be repeated", repeated)
    .option("--name <name>", "name, for people")
    .option("--enabled", "deliver")
    .option("--no-enabled", "pause: messages keep collecting")
    .addOption(qosOption())
    .addOption(new Option("--mode <mode>", "format of the calls").choices(["structured", "binary"]))
    .option("--header <name=value>", "header of the calls; may be repeated", pairs)
    .option("--secret <secret>", "signing secret: whsec_ and base64")
    .addOption(payloadFormatOption("how devices encode their payloads"))
    .option("--filter <jsonata>", "deliver only events for which this is true")
    .option("--transform <jsonata>", "expression that changes the event")
    .addOption(new Option("--ordering <order>", "order of the deliveries").choices(["none", "topic", "strict"]))
    .addOption(new Option("--concurrency <calls>", "maximum number of parallel calls").argParser(integer(1, 100)))
    .addOption(new Option("--timeout-ms <ms>", "time limit of a call").argParser(integer(100, 60_000)))
    .option("--reply-topic <topic>", "topic to which the receiver's response is published");
}

/** The fields that are given: those of the preset, then `--data`, then the other options. Headers are added up. */
export async function readWebhookFields({
  data,
  preset,
  set,
  setFile,
  topic,
  header,
  ...fields
}: WebhookFields): Promise<Record<string, unknown>> {
  const base = readPreset({ preset, set, setFile });
  const given = data === undefined ? {} : await readJson(data, "--data");
  const headers = header && base?.headers ? { ...base.headers, ...header } : header;
  return { ...base, ...given, ...present({ ...fields, topics: topic, headers }) };
}
