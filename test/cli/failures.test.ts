/** Exit codes, and errors on standard error. */
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import { CommanderError } from "commander";
import { exitCodeOf, NoKeyError, report, UsageError } from "../../src/cli/failures.ts";
import { CausewayConnectionError, CausewayError, CausewayTimeoutError } from "../../src/client/index.ts";

const refusal = (status: number, code?: string) => new CausewayError(status, { code, detail: "no" } as never);

describe("exit codes", () => {
  const cases: [error: unknown, code: number, why: string][] = [
    [new CommanderError(0, "commander.helpDisplayed", ""), 0, "help"],
    [new CommanderError(1, "commander.unknownOption", ""), 2, "an unknown option"],
    [new UsageError(""), 2, "input that cannot be used"],
    [refusal(400, "invalid_topic"), 3, "a refusal"],
    [refusal(404, "not_found"), 3, "an id that is missing"],
    [refusal(503, "broker_unavailable"), 3, "a bridge without its broker refuses"],
    [refusal(504, "request_timeout"), 3, "a device that does not respond"],
    [refusal(500), 3, "an error page"],
    [refusal(502), 4, "a proxy that does not reach the bridge"],
    [refusal(503), 4, "a proxy without a bridge"],
    [new CausewayConnectionError(""), 4, "no connection"],
    [new CausewayTimeoutError(""), 4, "no response in time"],
    [refusal(401, "unauthorized"), 5, "a wrong key"],
    [refusal(403, "forbidden_topic"), 5, "a topic that the key may not use"],
    [new NoKeyError(""), 5, "no key"],
    [new TypeError(""), 70, "a defect"],
  ];
  for (const [error, code, why] of cases) it(`${code}: ${why}`, () => assert.equal(exitCodeOf(error), code));
});

describe("a reported error", () => {
  function reported(error: unknown, isJson: boolean): string {
    const stderr = new PassThrough();
    report(error, { isJson, stderr });
    return stderr.read()?.toString() ?? "";
  }
  const fields = [
    { path: "topic", message: "must not be empty" },
    { path: "qos", message: "must be one of 0, 1, 2" },
  ];
  const error = new CausewayError(
    400,
    { code: "invalid_request", detail: "topic: must not be empty", errors: fields },
    { requestId: "r-1" },
  );

  it("shows code, detail, fields and the id of the request", () => {
    assert.equal(
      reported(error, false),
      "causeway: invalid_request: topic: must not be empty\n  topic: must not be empty\n  qos: must be one of 0, 1, 2\n  request r-1\n",
    );
  });

  it("is one JSON document with --json", () => {
    assert.deepEqual(JSON.parse(reported(error, true)), {
      code: "invalid_request",
      detail: "topic: must not be empty",
      status: 400,
      errors: fields,
      requestId: "r-1",
    });
  });

  it("cannot change the terminal", () => {
    assert.equal(reported(new UsageError("\x1b[2J"), false), "causeway: \\e[2J\n");
  });

  it("is silent where commander has printed the help", () => {
    assert.equal(reported(new CommanderError(1, "commander.help", "(outputHelp)"), false), "");
  });

  it("has the stack of a defect", () =>
    assert.match(reported(new TypeError("x is undefined"), false), /defect: x is undefined\n.*\n\s+at /));
});
