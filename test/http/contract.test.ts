import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import build, { type AnySchema } from "fast-json-stringify";
import openapiTS, { astToString, COMMENT_HEADER } from "openapi-typescript";
import ts from "typescript";
import { catalogue } from "../../src/errors.ts";
import {
  hasRawBody,
  loadDocument,
  type Operation,
  operationsOf,
  resolve,
  successStatus,
} from "../../src/http/document.ts";
import { inliner, routeSchemas } from "../../src/http/route-schemas.ts";
import { validatorCompiler } from "../../src/http/validation.ts";

const root = new URL("../../", import.meta.url);
const { openapi } = await loadDocument();
const operations = operationsOf(openapi).map(({ operation }) => operation);
/** Operations that any key may use. */
const ANY_SCOPE = ["getSession", "deleteSession"];

describe("the contract", () => {
  it("has fresh generated types (npm run types)", async () => {
    const fresh = COMMENT_HEADER + astToString(await openapiTS(new URL("openapi/openapi.yaml", root)));
    assert.equal(readFileSync(new URL("src/http/contract/generated.ts", root), "utf8"), fresh);
  });

  it("has a handler type for every operation and no others", () => {
    const source = readFileSync(new URL("src/http/contract/generated.ts", root), "utf8");
    const file = ts.createSourceFile("generated.ts", source, ts.ScriptTarget.ES2023);
    const found = file.statements.find((node) => ts.isInterfaceDeclaration(node) && node.name.text === "operations");
    const typed = (found as ts.InterfaceDeclaration).members.map((member) => (member.name as ts.Identifier).text);
    assert.deepEqual(operations.map(({ operationId }) => operationId).sort(), typed.sort());
    assert.equal(new Set(typed).size, operations.length);
  });

  it("has schemas that compile, although the bridge compiles each only when it is first used", () => {
    const validator = validatorCompiler();
    for (const { path, method, operation } of operationsOf(openapi)) {
      const { params, querystring, body, response } = routeSchemas(
        openapi,
        inliner(openapi),
        path,
        operation,
      ) as RouteSchemas;
      const checks = [
        [params, "params"],
        [querystring, "querystring"],
        [body?.content["application/json"].schema, "body"],
      ] as const;
      for (const [schema, httpPart] of checks) {
        if (schema)
          assert.doesNotThrow(() => validator({ schema, httpPart, method, url: path })({}), operation.operationId);
      }
      for (const [httpStatus, { content }] of Object.entries(response ?? {})) {
        const { schema } = content["application/json"];
        assert.doesNotThrow(() => build(schema as AnySchema), `${operation.operationId} ${httpStatus}`);
      }
    }
  });

  it("documents every problem code", () => {
    const codes = (openapi.components.schemas!.ProblemCode as { enum: string[] }).enum;
    assert.deepEqual(codes, Object.keys(catalogue));
  });

  it("has a success status, a 500 and a problem body for each error", () => {
    for (const { operationId, responses } of operations) {
      const statuses = Object.keys(responses);
      assert.ok(
        statuses.some((status) => status.startsWith("2")),
        operationId,
      );
      assert.ok(responses["500"], operationId);
      for (const status of statuses.filter((one) => one >= "400")) {
        assert.ok(
          resolve(openapi, responses[status]!).content?.["application/problem+json"],
          `${operationId} ${status}`,
        );
      }
    }
  });

  it("lists the scope, 403 and 429 wherever a key is needed", () => {
    for (const { operationId, responses, security, "x-scope": scope } of operations) {
      const needed = security?.length !== 0;
      assert.equal(scope !== undefined, needed && !ANY_SCOPE.includes(operationId), operationId);
      if (needed) assert.ok(responses["403"] && responses["429"], operationId);
    }
  });

  it("lists 401 wherever the key is needed, for a wrong key at the sign-in and for an unverified call of a hook", () => {
    for (const { operationId, responses, security } of operations) {
      const verifies = operationId === "createSession" || operationId.startsWith("callHook");
      assert.equal("401" in responses, security?.length !== 0 || verifies, operationId);
    }
  });

  it("lists 400 wherever a query is checked, 413 and 415 wherever a body is read", () => {
    for (const { path, method, operation } of operationsOf(openapi)) {
      if (!path.startsWith("/v1/")) continue; // probes accept any query and have no body
      const { operationId, responses } = operation;
      assert.ok(responses["400"], operationId);
      if (method === "get") continue;
      assert.ok(responses["413"], operationId);
      if (!hasRawBody(openapi, operation)) assert.ok(responses["415"], operationId);
    }
  });

  it("has an example for every request and response body", () => {
    for (const operation of operations) {
      for (const [name, media] of Object.entries(bodiesOf(operation))) {
        assert.ok("example" in media || "examples" in media, `${operation.operationId} ${name}`);
      }
    }
  });

  it("gives the query parameters qos, retain and limit a default, as the handler types do, and no others", () => {
    for (const { path, operation } of operationsOf(openapi)) {
      for (const one of [...(openapi.paths[path]!.parameters ?? []), ...(operation.parameters ?? [])]) {
        const { in: place, name, schema } = resolve(openapi, one);
        if (place !== "query") continue;
        assert.equal(schema.default !== undefined, ["qos", "retain", "limit"].includes(name), `${path} ${name}`);
      }
    }
  });

  it("accepts an Idempotency-Key on every POST that needs a key", () => {
    for (const { method, operation } of operationsOf(openapi)) {
      const names = (operation.parameters ?? []).map((one) => resolve(openapi, one).name);
      const keyed = method === "post" && operation.security?.length !== 0;
      assert.equal(names.includes("Idempotency-Key"), keyed, operation.operationId);
    }
  });
});

interface JsonSchema {
  content: { "application/json": { schema: object } };
}

interface RouteSchemas {
  params?: object;
  querystring?: object;
  body?: JsonSchema;
  response?: Record<string, JsonSchema>;
}

function bodiesOf(operation: Operation): Record<string, object> {
  const success = resolve(openapi, operation.responses[String(successStatus(operation))]!);
  const body = operation.requestBody as { $ref: string } | { content: Record<string, object> } | undefined;
  const content = body && resolve<{ content: Record<string, object> }>(openapi, body).content;
  return { ...content, ...success.content };
}
