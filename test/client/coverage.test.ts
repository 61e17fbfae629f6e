/** The client has a method for every operation of the API. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { parse } from "yaml";

const SOURCES = "src/client";
/** Opened without the typed calls: its response is a stream. */
const STREAM = "GET /v1/stream";
/** Needs no key before it is called, since it carries one. */
const SIGN_IN = "createSession";
/** For monitoring programs, not for clients. */
const METRICS = "GET /metrics";

it("every operation of the contract with an API key is called", () => {
  const { paths } = parse(readFileSync("openapi/openapi.yaml", "utf8")) as {
    paths: Record<string, Record<string, { operationId?: string; security?: unknown[] }>>;
  };
  const described = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations)
      .filter(([, { operationId, security }]) => operationId === SIGN_IN || (operationId && security === undefined))
      .map(([method]) => `${method.toUpperCase()} ${path}`),
  );
  const files = readdirSync(SOURCES, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
  const called = files.flatMap((file) =>
    [...readFileSync(join(SOURCES, file), "utf8").matchAll(/api\.([A-Z]+)\("([^"]+)"/g)].map(
      ([, method, path]) => `${method} ${path}`,
    ),
  );
  assert.deepEqual([...new Set([...called, STREAM, METRICS])].sort(), described.sort());
});
