/** The fuzzer itself: the same seed makes the same calls, and invalid responses are found. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { loadDocument, operationsOf } from "../../src/http/document.ts";
import { type Call, toCommand } from "./call.ts";
import { Generator } from "./generate.ts";
import { Judge } from "./judge.ts";
import { repliesIn } from "./send.ts";
import { State } from "./state.ts";

const { openapi } = await loadDocument();

function calls(seed: number, count: number): Call[] {
  const options = { seed, openapi, apiKey: "k", receiver: "http://127.0.0.1:1", without: new Set<never>() };
  const generator = new Generator(options, new State());
  return Array.from({ length: count }, (_, i) => generator.make(i + 1));
}

const get: Call = { number: 1, operation: "getHealth", method: "GET", path: "/healthz", headers: [], caller: "none" };

function faults(status: number, type: string, body: unknown, call: Partial<Call> = {}): string[] {
  const reply = {
    status,
    headers: { "content-type": type },
    body: Buffer.from(JSON.stringify(body) ?? "no JSON"),
    cut: false,
  };
  return new Judge(openapi, new State()).faults({ ...get, ...call }, { replies: [reply], tookMs: 1 });
}

const problem = (status: number, code: string) => ({ type: "x", title: "x", status, detail: "x", code });
const PROBLEM = "application/problem+json";

describe("the fuzzer", () => {
  it("makes the same calls from the same seed, and different ones from another seed", () => {
    const lasting = (all: Call[]) =>
      all.filter(({ body }) => !body?.includes("sendAt")).map((call) => toCommand(call, "http://x", 1));
    assert.deepEqual(lasting(calls(7, 150)), lasting(calls(7, 150)));
    assert.notDeepEqual(lasting(calls(7, 150)), lasting(calls(8, 150)));
  });

  it("calls every operation, as well as unknown paths and raw sockets", () => {
    const made = calls(1, 3_000);
    const called = new Set(made.map(({ operation }) => operation));
    for (const { operation } of operationsOf(openapi))
      assert.ok(called.has(operation.operationId), operation.operationId);
    assert.ok(called.has(undefined));
    assert.ok(new Set(made.flatMap(({ raw }) => raw?.name ?? [])).size > 30);
  });

  it("accepts responses that the contract contains", () => {
    assert.deepEqual(faults(200, "application/json; charset=utf-8", { status: "ok" }), []);
    assert.deepEqual(
      faults(504, PROBLEM, problem(504, "request_timeout"), { operation: "sendRequest", caller: "root" }),
      [],
    );
  });

  it("does not check a retained message as JSON, whatever its content type", () => {
    for (const type of ["application/json", "application/x-ndjson"]) {
      assert.deepEqual(faults(200, type, undefined, { operation: "getRetained", caller: "root" }), []);
    }
  });

  it("finds bodies, types, statuses and codes that the contract does not contain", () => {
    assert.match(faults(200, "application/json", { status: "fine" })[0]!, /not what the contract says/);
    assert.match(faults(200, "text/html", {})[0]!, /content type/);
    assert.match(faults(201, "application/json", {})[0]!, /not among the answers/);
    assert.match(faults(400, PROBLEM, problem(400, "bad"))[0]!, /not what the contract says/);
    assert.match(faults(400, "application/json", problem(400, "invalid_request"))[0]!, /content type/);
    assert.match(faults(404, PROBLEM, problem(404, "invalid_request"))[0]!, /with the status 404/);
  });

  it("finds failures without a cause", () => {
    const call = { operation: "publishMessage", caller: "root" } as const;
    for (const [status, code] of [
      [500, "internal_error"],
      [502, "broker_refused"],
      [503, "broker_unavailable"],
      [504, "broker_timeout"],
      [429, "rate_limited"],
    ] as const) {
      assert.equal(faults(status, PROBLEM, problem(status, code), call).length, 1, code);
    }
  });

  it("finds responses that exceed the rights of a key", () => {
    const key = { id: "key_1", key: "cw_x", scopes: ["publish"], publish: ["a/#"], read: [], rateLimit: null };
    const published = (topic: string) => ({
      id: "msg_1",
      topic,
      qos: 1,
      retain: false,
      outcome: "acknowledged",
      noMatchingSubscribers: null,
    });
    const of = (topic: string, caller: Call["caller"]) =>
      faults(200, "application/json", published(topic), { operation: "publishMessage", caller });
    assert.deepEqual(of("a/b", key), []);
    assert.match(of("b", key)[0]!, /may not publish b/);
    assert.match(of("a/b", { ...key, scopes: ["read"] })[0]!, /without the scope publish/);
    assert.match(of("a/b", "none")[0]!, /without a key/);
  });

  it("separates pipelined responses", () => {
    const one = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    assert.deepEqual(
      repliesIn(`${one}HTTP/1.1 100 Continue\r\n\r\n${one}`).map(({ status }) => status),
      [200, 200],
    );
  });
});
