/** `causeway export`: the webhooks and keys as documents for `causeway apply`. */
import { isDeepStrictEqual } from "node:util";
import type { Command } from "commander";
import { stringify } from "yaml";
import { isCausewayError, type Webhook } from "../../client/index.ts";
import type { Fields } from "../../configuration/documents.ts";
import { keyFields, WEBHOOK_DEFAULTS, webhookFields } from "../../configuration/fields.ts";
import type { Runtime } from "../runtime.ts";
import { addExamples } from "../settings/options.ts";

export function addExport(program: Command, runtime: Runtime): void {
  const command = program
    .command("export")
    .summary("print webhooks and keys as files for apply")
    .description(
      "Prints the webhooks and keys as YAML documents, with --json as lines of JSON. Secrets are not shown: apply " +
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
      try {
        for await (const key of causeway.keys.list({ limit: 250 })) print({ kind: "Key", ...keyFields(key) });
      } catch (error) {
        if (!isCausewayError(error, "insufficient_scope")) throw error;
        output.note("without the API keys, for which the key needs the scope admin");
      }
    });
  addExamples(command, "causeway export > causeway.yaml", "causeway export --json | jq -r .externalId");
}

/** Without the fields that have their defaults. */
function webhookDocument(webhook: Webhook): Fields {
  const { id, externalId } = webhook;
  const fields = Object.entries(webhookFields(webhook));
  return {
    kind: "Webhook",
    ...(externalId === undefined ? { id } : { externalId }),
    ...Object.fromEntries(fields.filter(([name, value]) => !isDeepStrictEqual(value, WEBHOOK_DEFAULTS[name]))),
  };
}
