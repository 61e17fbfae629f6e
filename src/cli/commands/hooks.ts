/** `causeway hooks`: URLs that other services call. */
import { type Command, Option } from "commander";
import type { Causeway, Hook } from "../../client/index.ts";
import { UsageError } from "../failures.ts";
import type { Output } from "../output/output.ts";
import type { Column } from "../output/table.ts";
import type { Runtime } from "../runtime.ts";
import {
  addExamples,
  addListOptions,
  id,
  limitOf,
  present,
  qosOption,
  readJson,
  repeated,
} from "../settings/options.ts";

const COLOURS = { active: "green", stopped: "red" } as const;
const ID = "hk_019a3c60-1b2f-7e53-8a4e-3b7a8c1f2d90";

interface HookFields {
  data?: string;
  name?: string;
  topic?: string;
  payload?: string;
  qos?: 0 | 1 | 2;
  retain?: boolean;
  method?: string[];
  durable?: boolean;
}

function columns(output: Output): Column<Hook>[] {
  return [
    { title: "ID", value: (hook) => hook.id },
    { title: "STATE", value: ({ state }) => state, paint: (text, { state }) => output.paint(COLOURS[state], text) },
    { title: "NAME", value: ({ name }) => name, mayShrink: true },
    { title: "TOPIC", value: ({ topic }) => topic, mayShrink: true },
    { title: "VERIFY", value: ({ verify }) => verify.type, isOptional: true },
    { title: "METHODS", value: ({ methods }) => methods.join(","), isOptional: true },
  ];
}

export function addHooks(program: Command, runtime: Runtime): void {
  const hooks = program
    .command("hooks")
    .summary("manage inbound hooks")
    .description("Manages inbound hooks: URLs that other services call to publish messages.");
  addExamples(
    addListOptions(hooks.command("list").description("Lists the hooks, without their secret paths.")).action(
      async (options, self: Command) => {
        const causeway = await runtime.client(self);
        const output = runtime.output(self);
        await output.list(causeway.hooks.list(), columns(output), limitOf(options));
      },
    ),
    "causeway hooks list",
  );
  addCreateAndUpdate(hooks, runtime);
  addOnOne(hooks, runtime, "get", "Shows a hook, its path and its state.", async (causeway, hookId, output) =>
    output.document(await causeway.hooks.get(hookId)),
  );
  addOnOne(hooks, runtime, "delete", "Deletes a hook.", async (causeway, hookId, output) => {
    await causeway.hooks.delete(hookId);
    output.document({ id: hookId, outcome: "deleted" }, `deleted ${hookId}`);
  });
}

type OnOneHook = (causeway: Causeway, id: string, output: Output) => Promise<void>;

function addOnOne(parent: Command, runtime: Runtime, name: string, description: string, act: OnOneHook): void {
  const command = parent
    .command(name)
    .description(description)
    .argument("<id>", "id of the hook", id)
    .action(async (hookId: string, _options, self: Command) =>
      act(await runtime.client(self), hookId, runtime.output(self)),
    );
  addExamples(command, `causeway hooks ${name} ${ID}`);
}

function addCreateAndUpdate(parent: Command, runtime: Runtime): void {
  const create = addFields(parent.command("create"))
    .description("Creates a hook and prints the path to call. The path is a secret.")
    .action(async (options: HookFields, self: Command) => {
      const hook = await readFields(options);
      if (!("name" in hook && "topic" in hook)) throw new UsageError("give --name and --topic, or --data with them");
      const causeway = await runtime.client(self);
      const created = await causeway.hooks.create(hook as never);
      const output = runtime.output(self);
      // Only the path on standard output, for `HOOK=$(causeway hooks create …)`.
      output.document(created, created.path);
      output.note(`${created.id}: call this path at the address of the bridge`);
    });
  addExamples(
    create,
    "causeway hooks create --name lamp --topic 'lamps/{query.id}/set' --payload query.state --method GET",
    "causeway hooks create --data @hook.json",
  );
  const update = addFields(parent.command("update"))
    .description("Changes fields of a hook. In --data, null removes an optional field.")
    .argument("<id>", "id of the hook", id)
    .action(async (hookId: string, options: HookFields, self: Command) => {
      const patch = await readFields(options);
      if (Object.keys(patch).length === 0) throw new UsageError("give at least one field to change");
      const causeway = await runtime.client(self);
      runtime.output(self).document(await causeway.hooks.update(hookId, patch));
    });
  addExamples(update, `causeway hooks update ${ID} --topic 'github/all'`);
}

/** Secrets only in `--data`: options are visible in the list of processes. */
function addFields(command: Command): Command {
  return command
    .option(
      "--data <json>",
      "fields as in the API, such as verify: JSON, @file, or - for standard input; the options below take precedence",
    )
    .option("--name <name>", "name, for people")
    .option("--topic <topic>", "topic, with JSONata in braces")
    .option("--payload <jsonata>", "expression of the payload; without it, the body of the call")
    .addOption(qosOption())
    .option("--retain", "retain the messages")
    .option("--no-retain", "do not retain the messages")
    .addOption(new Option("--method <method>", "GET, POST, PUT, PATCH or DELETE; may be repeated").argParser(repeated))
    .option("--durable", "store the messages before they are published")
    .option("--no-durable", "publish during the call");
}

/** The fields that are given, `--data` first. */
async function readFields({ data, method, ...fields }: HookFields): Promise<Record<string, unknown>> {
  const given = data === undefined ? {} : await readJson(data, "--data");
  return { ...given, ...present({ ...fields, methods: method }) };
}
