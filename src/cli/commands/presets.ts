/** `--preset` and `causeway webhooks presets`: calls in the format of a well-known service. */
import type { Command } from "commander";
import { type FilledWebhook, inputError, PRESETS, type Preset, webhookOf } from "../../presets/index.ts";
import { UsageError } from "../failures.ts";
import type { Column } from "../output/table.ts";
import type { Runtime } from "../runtime.ts";
import { addExamples, type NamedValues, readInput } from "../settings/options.ts";

export interface PresetFields {
  preset?: string;
  set?: NamedValues;
  setFile?: NamedValues;
}

/** Returns the fields of the preset; undefined without a preset. */
export function readPreset({ preset: id, set = {}, setFile = {} }: PresetFields): FilledWebhook | undefined {
  const fromFiles = Object.entries(setFile).map(([name, path]) => [name, readInput(single(name, path)).toString()]);
  const fromOptions = Object.entries(set).map(([name, value]) => [name, single(name, value)]);
  const values = Object.fromEntries([...fromFiles, ...fromOptions]) as Record<string, string>;
  if (id === undefined) {
    if (Object.keys(values).length > 0) throw new UsageError("--set and --set-file need --preset");
    return undefined;
  }
  const preset = presetOf(id);
  const unknown = Object.keys(values).filter((name) => !preset.inputs.some((input) => input.id === name));
  const wrong = [
    ...unknown.map((name) => `--set ${name}: preset ${id} has no such input`),
    ...preset.inputs.flatMap((input) => {
      const error = inputError(input, values[input.id]);
      return error === undefined ? [] : [`--set ${input.id}: ${error} (${input.label})`];
    }),
  ];
  if (wrong.length > 0) throw new UsageError(wrong.join("; "));
  return webhookOf(preset, values);
}

export function addPresets(webhooks: Command, runtime: Runtime): void {
  const command = webhooks
    .command("presets")
    .description("Lists the presets, or shows one with its inputs. Needs no bridge.")
    .argument("[preset]", "id of a preset")
    .action(async (id: string | undefined, _options: object, self: Command) => {
      const output = runtime.output(self);
      if (id !== undefined) output.document(presetOf(id));
      else await output.list(each(PRESETS), COLUMNS, PRESETS.length);
    });
  addExamples(
    command,
    "causeway webhooks presets",
    "causeway webhooks presets influxdb",
    "causeway webhooks create --preset ntfy --set server=https://ntfy.sh --set topic=plant-7 --topic 'plant/7/alarms'",
  );
}

const COLUMNS: Column<Preset>[] = [
  { title: "PRESET", value: ({ id }) => id },
  {
    title: "INPUTS",
    value: ({ inputs }) => inputs.map(({ id, default: given }) => (given === undefined ? id : `[${id}]`)).join(" "),
  },
  { title: "DESCRIPTION", value: ({ description }) => description, mayShrink: true },
];

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

function presetOf(id: string): Preset {
  const preset = PRESETS.find((one) => one.id === id);
  if (!preset) throw new UsageError(`there is no preset ${id}: give one of ${PRESETS.map((one) => one.id).join(", ")}`);
  return preset;
}

function single(name: string, value: string | string[]): string {
  if (Array.isArray(value)) throw new UsageError(`--set ${name}: is given more than once`);
  return value;
}
