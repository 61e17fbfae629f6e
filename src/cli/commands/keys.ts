/** `causeway keys`: API keys. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Key, KeyInput } from "../../client/index.ts";
import type { Column } from "../output/table.ts";
import type { Runtime } from "../runtime.ts";
import { addExamples, addListOptions, future, id, limitOf, present, repeated } from "../settings/options.ts";

const COLUMNS: Column<Key>[] = [
  { title: "ID", value: (key) => key.id },
  { title: "NAME", value: (key) => key.name, mayShrink: true },
  { title: "SCOPES", value: (key) => key.scopes.join(","), mayShrink: true },
  { title: "LAST USED", value: (key) => key.lastUsedAt?.slice(0, 16), isOptional: true },
  { title: "EXPIRES", value: (key) => key.expiresAt?.slice(0, 16), isOptional: true },
  { title: "PUBLISH", value: (key) => key.publish.join(" "), mayShrink: true, isOptional: true },
  { title: "READ", value: (key) => key.read.join(" "), mayShrink: true, isOptional: true },
];

interface CreateOptions {
  scope: string[];
  publish?: string[];
  read?: string[];
  rateLimit?: { max: number; perSeconds: number };
  expires?: string;
}

export function addKeys(program: Command, runtime: Runtime): void {
  const keys = program.command("keys").description("Lists, creates and deletes API keys.").summary("manage API keys");
  addExamples(
    addListOptions(keys.command("list").description("Lists the keys, without the keys themselves.")).action(
      async (options, self: Command) => {
        const causeway = await runtime.client(self);
        await runtime.output(self).list(causeway.keys.list(), COLUMNS, limitOf(options));
      },
    ),
    "causeway keys list",
  );
  addCreate(keys, runtime);
  addExamples(
    keys
      .command("delete")
      .description("Revokes a key.")
      .argument("<id>", "id of the key", id)
      .action(async (keyId: string, _options, self: Command) => {
        const causeway = await runtime.client(self);
        await causeway.keys.delete(keyId);
        runtime.output(self).document({ id: keyId, outcome: "deleted" }, `deleted ${keyId}`);
      }),
    "causeway keys delete key_019a3c60-1b2f-7e53-8a4e-3b7a8c1f2d90",
  );
}

function addCreate(keys: Command, runtime: Runtime): void {
  const command = keys
    .command("create")
    .description("Creates a key and prints it. It is not shown again.")
    .argument("<name>", "name of the key")
    .addOption(
      new Option("--scope <scope>", "publish, read, webhooks, view or admin; may be repeated")
        .argParser(repeated)
        .makeOptionMandatory(),
    )
    .option("--publish <filter>", "topics that the key may publish to; may be repeated", repeated)
    .option("--read <filter>", "topics that the key may read; may be repeated", repeated)
    .option("--rate-limit <max/seconds>", "requests in a number of seconds, such as 100/60", rateLimit)
    .option("--expires <time>", "when the key ends, or a duration such as 90d", future)
    .action(async (name: string, options: CreateOptions, self: Command) => {
      const { scope: scopes, publish, read, rateLimit: limit, expires: expiresAt } = options;
      const key = { name, scopes, ...present({ publish, read, rateLimit: limit, expiresAt }) } as KeyInput;
      const causeway = await runtime.client(self);
      const created = await causeway.keys.create(key);
      const output = runtime.output(self);
      // Only the key on standard output, for `KEY=$(causeway keys create …)`.
      output.document(created, created.key);
      output.note(`${created.id}: keep the key, it is not shown again`);
    });
  addExamples(
    command,
    "causeway keys create app-1 --scope publish --publish 'devices/+/commands'",
    "KEY=$(causeway keys create viewer --scope read --read 'devices/#' --expires 90d)",
  );
}

function rateLimit(text: string): { max: number; perSeconds: number } {
  const [, max, perSeconds] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  if (max === undefined) throw new InvalidArgumentError("must be such as 100/60: 100 requests in 60 seconds");
  return { max: Number(max), perSeconds: Number(perSeconds) };
}
