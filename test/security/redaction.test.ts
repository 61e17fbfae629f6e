/** Redaction of errors that leave the process. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  hideSecrets,
  type LoggedError,
  reasonOf,
  redact,
  redactFields,
  redactInPlace,
  toLogged,
} from "../../src/security/redaction.ts";
import { scaled } from "../support/speed.ts";

const NEEDLE = "needle-4711";

describe("the message of an error", () => {
  for (const [quoting, rest] of [
    [`ERR unknown command 'x', with args beginning with: '${NEEDLE}' 'b' `, "ERR unknown command 'x'"],
    [`ERR unknown command \`x\`, with args beginning with: \`${NEEDLE}\`, `, "ERR unknown command `x`"],
    [`The "data" argument must be of type string. Received '${NEEDLE}'`, 'The "data" argument must be of type string'],
    [`Invalid URL: wss://u:${NEEDLE}@broker/mqtt?X-Sign=${NEEDLE}&b=1`, "Invalid URL: wss://broker/mqtt"],
    ["connect ECONNREFUSED 127.0.0.1:6379", "connect ECONNREFUSED 127.0.0.1:6379"],
    ["NOPERM User x has no permissions to run the 'get' command", undefined],
  ] as const) {
    it(quoting, () => assert.equal(redact(quoting), rest ?? quoting));
  }

  it("of JSON.parse", () => {
    for (const text of [
      NEEDLE,
      `{"a":"b", ${NEEDLE}}`,
      `${" ".repeat(50)}"a" ${NEEDLE}${" ".repeat(50)}`,
      `"${NEEDLE}`,
    ]) {
      const error = thrown(() => JSON.parse(text));
      assert.ok(!JSON.stringify(toLogged(error)).includes("4711"), error.message);
    }
  });

  it("has a maximum length, and takes little time for any text", () => {
    for (const part of ['"', "a.", "a://", " the ", "The "]) {
      const before = performance.now();
      assert.ok(redact(part.repeat(500_000)).length <= 1_001);
      assert.ok(performance.now() - before < scaled(2_000), part);
    }
  });
});

describe("secrets", () => {
  const pem = `-----BEGIN PRIVATE KEY-----\n${"A".repeat(64)}\n${"B".repeat(64)}\n-----END PRIVATE KEY-----\n`;
  hideSecrets(["p@ss/w%rd", 'quo"ted\\secret', "pi", pem, undefined, ""]);

  it("are masked in every form", () => {
    for (const form of [
      "p@ss/w%rd",
      "p%40ss%2Fw%25rd",
      'quo"ted\\secret',
      JSON.stringify('quo"ted\\secret'),
      "B".repeat(64),
    ]) {
      assert.match(redact(`<${form}>`), /^<"?\*{8}"?>$/);
    }
  });

  it("that are short are masked where they stand alone", () => {
    assert.equal(redact("spin pi 'pi' pipe"), "spin ******** '********' pipe");
  });

  it("are cut off completely", () => {
    assert.ok(!redact(`${"x".repeat(995)} p@ss/w%rd`).includes("p@"));
    assert.ok(!redact(`${"x".repeat(1_995)} p@ss/w%rd`).includes("p@"));
  });
});

describe("an error in the log", () => {
  const reply = () => {
    const error = new Error("NOPERM no");
    error.name = "ReplyError";
    return Object.assign(error, { command: { name: "auth", args: [NEEDLE] }, code: "NOPERM" });
  };

  it("has known members only, under any name in the line", () => {
    const shared = { type: "ReplyError", message: "NOPERM no", code: "NOPERM" };
    for (const name of ["err", "error", "cause", "other"]) {
      const line = redactFields({ [name]: reply(), inner: { list: [reply()] } });
      const { stack, ...rest } = line[name] as LoggedError;
      assert.deepEqual(rest, shared);
      assert.match(stack!, /^ReplyError: NOPERM no\n\s+at .*redaction\.test/);
      assert.equal((line.inner as { list: LoggedError[] }).list[0]!.type, "ReplyError");
      assert.ok(!JSON.stringify(line).includes(NEEDLE));
    }
  });

  it("has its causes and aggregated errors in the same form, up to a depth", () => {
    let error: Error = reply();
    for (let i = 0; i < 20; i++) error = new Error(`${i}`, { cause: error });
    const parts = new AggregateError(Array(50).fill(reply()), "all failed");
    const logged = JSON.stringify([
      toLogged(error),
      toLogged(parts),
      toLogged(Object.assign(reply(), { previousErrors: [reply()] })),
    ]);
    assert.ok(!logged.includes(NEEDLE));
    assert.equal(toLogged(error).cause?.cause?.cause?.cause?.cause, undefined);
    assert.equal(toLogged(parts).errors?.length, 5);
    const circular: Error & { cause?: unknown } = new Error("round");
    circular.cause = circular;
    assert.equal(toLogged(circular).cause?.message, "round");
  });

  it("has a stack without the lines of its message", () => {
    const { stack } = toLogged(new Error(`ERR, with args beginning with:\n    at ${NEEDLE}`));
    assert.match(stack!, /^Error: ERR\n\s+at .*redaction\.test/);
    assert.ok(!stack!.includes(NEEDLE));
  });

  it("that is not an Error is logged with its type only", () => {
    assert.deepEqual(toLogged({ payload: NEEDLE }), { type: "Thrown", message: "a value of type object" });
    assert.equal(reasonOf(Object.assign(new Error(""), { code: "ECONNRESET" })), "ECONNRESET");
  });
});

it("an error kept by a job is redacted, an attempt stored as an error is not", () => {
  const error = new Error(`ERR unknown command 'x', with args beginning with: '${NEEDLE}'`);
  redactInPlace(error);
  assert.ok(!`${error.message}${error.stack}`.includes(NEEDLE));
  const attempt = new Error("{}");
  attempt.stack = JSON.stringify({ at: "now", responseBody: "a://b?c" });
  redactInPlace(attempt);
  assert.match(attempt.stack, /b\?c/);
});

function thrown(run: () => unknown): Error {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  throw new Error("it did not throw");
}
