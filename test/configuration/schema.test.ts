/** The JSON Schema of configuration files. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { configurationSchema } from "../../packaging/configuration-schema.ts";
import { loadDocument } from "../../src/http/document.ts";

it("the schema of configuration files accepts documents, and refuses mistakes in them", async () => {
  const { openapi } = await loadDocument();
  const isValid = new Ajv2020({ strict: false, validateFormats: false }).compile(
    configurationSchema(openapi.components.schemas),
  );
  const webhook = { kind: "Webhook", externalId: "a", url: "https://example.com/", topics: ["a/#"] };
  const key = { kind: "Key", name: "k", scopes: ["read"], read: ["a/#"] };
  const hook = { kind: "Hook", externalId: "h", name: "h", topic: "a/{query.id}", verify: { type: "none" } };
  const rows: [document: object, isValid: boolean][] = [
    [webhook, true],
    [{ ...webhook, externalId: undefined, id: "wh_1" }, true],
    [{ ...webhook, concurrency: 0 }, false],
    [{ ...webhook, concurency: 3 }, false],
    [{ ...webhook, kind: "Hook" }, false],
    [{ ...webhook, url: undefined }, false],
    [{ ...webhook, type: "push", url: undefined }, false],
    [{ ...webhook, type: "pull", url: undefined }, true],
    [hook, true],
    [{ ...hook, topic: undefined }, false],
    [{ ...hook, verify: { type: "other" } }, false],
    [{ ...hook, topics: ["a"] }, false],
    [key, true],
    [{ ...key, scopes: ["none"] }, false],
    [{ ...key, url: "https://example.com/" }, false],
  ];
  for (const [document, expected] of rows) {
    const text = JSON.stringify(document);
    assert.equal(isValid(JSON.parse(text)), expected, text);
  }
});
