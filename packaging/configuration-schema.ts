/** JSON Schema of the files for `causeway apply`, for editors, from the schemas of the API. */
type Schema = { properties: Record<string, unknown>; required: string[] };

const REFERENCE = /#\/components\/schemas\//g;

export function configurationSchema(schemas: Record<string, unknown> = {}): object {
  const definitions = JSON.parse(JSON.stringify(schemas).replace(REFERENCE, "#/$defs/")) as Record<string, Schema>;
  const kind = (name: string, { properties, required }: Schema, more: object = {}, less: string[] = []) => ({
    type: "object",
    properties: { kind: { const: name }, ...more, ...properties },
    required: ["kind", ...required.filter((one) => !less.includes(one))],
    additionalProperties: false,
  });
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "A webhook, a hook or an API key of Causeway",
    oneOf: [
      {
        ...kind("Webhook", definitions.WebhookInput!, { id: { type: "string" } }, ["topics"]),
        anyOf: [{ required: ["url"] }, { required: ["type"], properties: { type: { const: "pull" } } }],
      },
      kind("Hook", definitions.HookInput!, { id: { type: "string" } }),
      kind("Key", definitions.KeyInput!),
    ],
    $defs: definitions,
  };
}
