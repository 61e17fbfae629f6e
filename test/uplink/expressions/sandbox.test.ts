/** JSONata in sandbox processes: results of expressions, and the cost of bad ones for the others. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Evaluated } from "../../../src/uplink/expressions/sandbox.ts";
import { loaders } from "../../../src/uplink/expressions/sandbox-process.ts";
import { eventually } from "../../support/eventually.ts";
import { FROM_API, Sandbox } from "./built-sandbox.ts";
import { evaluatorsOf, WITHOUT_PROC } from "./evaluators.ts";

const MAX_BYTES = 10_000;
const EVENT = JSON.stringify({ subject: "devices/pi-7/telemetry", data: { temperature: 31.5, list: [1, 2] } });
const ENDLESS = "($f := function($n) { $f($n + 1) }; $f(0))";
/** By the limit within the process, or on a busy machine by the one around it. */
const TIMED_OUT = /timeout after 100 milliseconds|took too long/;
/** Cannot be interrupted from within its thread. */
const CATASTROPHIC = '$contains("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", /^(a+)+$/)';

/** Processes of the sandbox before may be ending still. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

describe("the sandbox", () => {
  const expressions = new Sandbox({ maxPayloadBytes: MAX_BYTES });
  after(() => expressions.close());
  const filter = (text: string) => expressions.evaluate("wh_1", { filter: text }, EVENT);
  const transform = (text: string) => expressions.evaluate("wh_1", { transform: text }, EVENT);
  const detail = (result: Evaluated) => (result.kind === "failed" ? `${result.error}: ${result.detail}` : result.kind);

  it("keeps events for which the filter is true, as $boolean defines it", async () => {
    for (const text of ["data.temperature > 30", "data.temperature", "data.list", '"x"', "true", '{"a": 1}']) {
      assert.deepEqual(await filter(text), { kind: "kept" }, text);
    }
    const untrue = ["data.temperature > 32", "data.nothing", "0", '""', "[]", "{}", "null", "[0, 0]", "$sum"];
    for (const text of untrue) assert.deepEqual(await filter(text), { kind: "filtered" }, text);
  });

  it("returns the transform's result as JSON text", async () => {
    for (const [text, data] of [
      ['{ "device": $split(subject, "/")[1], "f": data.temperature * 2 }', '{"device":"pi-7","f":63}'],
      ["data.list", "[1,2]"],
      ["null", "null"],
      ['"a\nb \\u2028"', '"a\\nb \u2028"'],
      ["data.temperature > 30", "true"],
    ]) {
      assert.deepEqual(await transform(text!), { kind: "kept", data }, text);
    }
    const both = { filter: "data.temperature > 30", transform: "data.temperature" };
    assert.deepEqual(await expressions.evaluate("wh_1", both, EVENT), { kind: "kept", data: "31.5" });
    const not = { filter: "false", transform: CATASTROPHIC };
    assert.deepEqual(await expressions.evaluate("wh_1", not, EVENT), { kind: "filtered" });
  });

  it("accepts events whose JSON contains line feeds between its tokens", async () => {
    const event = '{"data":\r\n{"text":\n"a\\nb"}\n}';
    const result = await expressions.evaluate("wh_1", { transform: "data.text" }, event);
    assert.deepEqual(result, { kind: "kept", data: '"a\\nb"' });
  });

  it("reports why an expression fails", async () => {
    for (const [text, why] of [
      ["data.nothing", "transform_error: the result is nothing"],
      ["$sum", "transform_error: the result is nothing"],
      ['$error("not mine")', /^transform_error: not mine \(at character \d+\)$/],
      ["1 + data", /^transform_error: .*\(at character \d+\)$/],
      ['$pad("x", 20000)', /^transform_error: the result has 20002 bytes, more than the limit of 10000$/],
    ] as const) {
      const found = detail(await transform(text));
      if (typeof why === "string") assert.equal(found, why);
      else assert.match(found, why);
    }
    assert.match(detail(await filter("1 + data")), /^filter_error: /);
  });

  it("ends an expression that takes too long, recurses too deep or needs too much memory, and names the cause", async () => {
    for (const [text, why] of [
      [CATASTROPHIC, /took too long/],
      [ENDLESS, TIMED_OUT],
      ["($f := function($n) { 1 + $f($n + 1) }; $f(0))", /Stack overflow/],
      ['$pad("x", 100000000)', /too much memory|too long/],
      ['$pad("x", 1000000000)', /Invalid string length/],
      ["[1..10000000]", /sequence length/],
    ] as const) {
      assert.match(detail(await transform(text)), why, text);
    }
    assert.match(detail(await filter(CATASTROPHIC)), /^filter_error: the expression took too long$/);
    // The error names the expression at fault.
    const second = await expressions.evaluate("wh_1", { filter: "true", transform: CATASTROPHIC }, EVENT);
    assert.match(detail(second), /^transform_error: /);
    const first = await expressions.evaluate("wh_1", { filter: CATASTROPHIC, transform: "1" }, EVENT);
    assert.match(detail(first), /^filter_error: /);
  });

  it("ends an endless expression from within its process", async () => {
    let tries = 0;
    await eventually(
      async () => detail(await expressions.evaluate(`wh_endless_${tries++}`, { transform: ENDLESS }, EVENT)),
      (found) => /timeout after 100 milliseconds/.test(found),
    );
  });

  it("does not charge an expression with the CPU time of the one before it", {
    skip: WITHOUT_PROC,
  }, async () => {
    // One of them stops the process while it evaluates.
    for (const afterMs of [1, 2, 3, 4, 5]) {
      const own = new Sandbox({ maxPayloadBytes: MAX_BYTES });
      try {
        const first = await own.evaluate("wh_1", { transform: ENDLESS }, EVENT);
        assert.match(detail(first), TIMED_OUT);
        const second = own.evaluate("wh_2", { transform: "$sum([1..400].($ * 2))" }, EVENT);
        await delay(afterMs);
        const pids = evaluatorsOf(process.pid);
        assert.ok(pids.length > 0);
        for (const pid of pids) signal(pid, "SIGSTOP");
        await delay(300);
        for (const pid of pids) signal(pid, "SIGCONT");
        assert.deepEqual(await second, { kind: "kept", data: "160400" });
      } finally {
        await own.close();
      }
    }
  });

  it("gives no access to the host, and executes nothing that a device sent", async () => {
    for (const text of [
      ...["$$.constructor", "$$.__proto__", '$lookup($$, "constructor")', "$sum.implementation", "$sum.*", "$sum.**"],
      ...["$keys($sum)", "$process", "$globalThis", "$require", "$$.toString", '"".constructor', "$.hasOwnProperty"],
    ]) {
      assert.equal(detail(await transform(text)), "transform_error: the result is nothing", text);
    }
    assert.match(detail(await transform('$eval("1 + 1")')), /non-function/);
    // State left by one message is not visible to the next.
    await transform('($sum := 1; $mine := 2; {"__proto__": {"polluted": true}})');
    assert.equal(detail(await transform("$mine")), "transform_error: the result is nothing");
    assert.deepEqual(await transform("$sum([1, 2])"), { kind: "kept", data: "3" });
    assert.equal(detail(await transform("data.polluted")), "transform_error: the result is nothing");
  });

  it("reports the position of a syntax error", async () => {
    assert.equal(await expressions.syntaxError("data.temperature > 30"), undefined);
    assert.match(String(await expressions.syntaxError("data.temperature >")), /^Unexpected end .*\(at character 18\)$/);
    assert.match(String(await expressions.syntaxError("a b")), /\(at character \d\)$/);
    for (const text of ["(".repeat(8_192), "/(/", "[".repeat(8_192), '"'.repeat(8_191)]) {
      assert.notEqual(await expressions.syntaxError(text), undefined, text.slice(0, 9));
    }
  });

  it("continues the work of the others, each in turn", async () => {
    const bad = Array.from({ length: 3 }, () => expressions.evaluate("wh_bad", { filter: CATASTROPHIC }, EVENT));
    let badDone = 0;
    for (const each of bad) void each.then(() => badDone++);
    const good = Array.from({ length: 500 }, (_, i) =>
      expressions.evaluate(`wh_${i % 5}`, { transform: `${i}` }, EVENT),
    );
    const results = await Promise.all(good);
    assert.deepEqual(
      results.map((result) => result.kind === "kept" && result.data),
      results.map((_, i) => String(i)),
    );
    assert.ok(badDone < 3, "they did not wait for the bad ones");
    for (const each of bad) assert.equal((await each).kind, "failed");
    const preview = await expressions.evaluate(FROM_API, { transform: "1" }, EVENT);
    assert.deepEqual(preview, { kind: "kept", data: "1" });
  });
});

it("sandbox processes inherit the TypeScript loaders and no other option of the command line", () => {
  const given = ["--test", "--import", "tsx", "--cpu-prof", "--require=./a.cjs", "-r", "./b.cjs", "--inspect=0"];
  assert.deepEqual(loaders(given), ["--import", "tsx", "--require=./a.cjs", "-r", "./b.cjs"]);
  assert.deepEqual(loaders(["--max-semi-space-size=32", "--enable-source-maps"]), []);
});
