/** The HTTP parser of Node's `fetch`, which V8 optimizes once it counts as hot. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { startProcess, type TestProcess } from "../support/processes.ts";
import { programOf } from "../support/program.ts";
import { scaled } from "../support/speed.ts";

const CALLS = 20;
/** V8 compiles in the background. */
const COMPILING_MS = 1_000;

describe("the HTTP parser", () => {
  let server: Server;
  before(async () => {
    server = createServer((_request, response) => void response.end()).listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  after(() => server.close());

  /** Starts a program that calls the server a few times; it prints what V8 compiles. */
  function startCaller(act: string): TestProcess {
    const [file, ...loaders] = programOf("lib/v8-flags").toReversed();
    const code = `
      import * as flags from ${JSON.stringify(pathToFileURL(file!))};
      ${act}
      const url = "http://127.0.0.1:${(server.address() as AddressInfo).port}/";
      for (let call = 0; call < ${CALLS}; call++) await (await fetch(url)).text();
      setTimeout(() => {}, ${scaled(COMPILING_MS)});`;
    const options = [...loaders.reverse(), "--trace-wasm-compilation-times", "--input-type=module", "-e", code];
    return startProcess(process.execPath, options);
  }

  it("is optimized after a few responses, unless that is put off", async () => {
    const [usual, late] = [startCaller(""), startCaller("flags.optimizeHttpParserLate();")];
    await usual.waitFor(/using TurboFan/);
    assert.equal((await late.exited).code, 0, late.output);
    assert.match(late.output, /using Liftoff/);
    assert.doesNotMatch(late.output, /using TurboFan/);
    await usual.exited;
  });
});
