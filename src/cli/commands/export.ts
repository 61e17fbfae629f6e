/** `causeway export`: the webhooks, hooks and keys as documents for `causeway apply`. */
import { isDeepStrictEqual } from "node:util";
import type { Command } from "commander";
import { stringify } from "yaml";
import { type Hook, isCausewayError, type Webhook } from "../../client/index.ts";
import type { Fields } from "../../configuration/documents.ts";
import { HOOK_DEFAULTS, hookFields, keyFields, WEBHOOK_DEFAULTS, webhookFields } from "../../configuration/fields.ts";
import type { Runtime } from "../runtime.ts";
import { addExamples } from "../settings/options.ts";

export function addExport(program: Command, runtime: Runtime): void {
  const command = program
    .command("export")
    .summary("print webhooks, hooks and keys as files for apply")
    .description(
      "Prints the webhooks, hooks and keys as YAML documents, with --json as lines of JSON. Secrets are not shown: apply " +
        "leaves them as they are, and for another bridge they have to be added.",
    )
    .action(async (_options, self: Command) => {
      const causeway = await runtime.client(self);
      const output = runtime.output(self);
      const print = (document: Fields) => {
        if (output.isJson) output.json(JSON.stringify(document));
        else output.raw(`---\n${stringify(document, { lineWidth: 0 })}`);
      };
      for await (const webhook of causeway.webhooks.list({ limit: 250 })) print(webhookDocument(webhook));
      const unlessRefused = async <T>(list: AsyncIterable<T>, documentOf: (one: T) => Fields, note: string) => {
        try {
          for await (const one of list) print(documentOf(one));
        } catch (error) {
          if (!isCausewayError(error, "insufficient_scope")) throw error;
          output.note(note);
        }
      };
      await unlessRefused(
        causeway.hooks.list({ limit: 250 }),
        hookDocument,
        "without hooks, for which the key needs the scope publish or admin",
      );
      await unlessRefused(
        causeway.keys.list({ limit: 250 }),
        (key) => ({ kind: "Key", ...keyFields(key) }),
        "without the API keys, for which the key needs the scope admin",
      );
    });
  addExamples(command, "causeway export > causeway.yaml", "causeway export --json | jq -r .externalId");
}

function webhookDocument(webhook: Webhook): Fields {
  return { kind: "Webhook", ...identityOf(webhook), ...without(WEBHOOK_DEFAULTS, webhookFields(webhook)) };
}

function hookDocument(hook: Hook): Fields {
  return { kind: "Hook", ...identityOf(hook), ...without(HOOK_DEFAULTS, hookFields(hook)) };
}

function identityOf({ id, externalId }: { id: string; externalId?: string | null }): Fields {
  return externalId == null ? { id } : { externalId };
}

/** The fields that do not have their defaults. */
function without(defaults: Fields, fields: Fields): Fields {
  return Object.fromEntries(
    Object.entries(fields).filter(([name, value]) => !isDeepStrictEqual(value, defaults[name])),
  );
}
