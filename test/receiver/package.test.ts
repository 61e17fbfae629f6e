/** The built package as other programs import it. Their types are checked with those of their own servers. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { createContext, runInContext } from "node:vm";
import { build } from "esbuild";
import ts from "typescript";
import { temporaryDirectory } from "../support/directories.ts";
import { callOf, messageOf, SECRET, toRequest } from "./calls.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const PROGRAM = `
import { createServer } from "node:http";
import express from "express";
import fastify from "fastify";
import { createReceiver, Gone, type HandledIds, type ReceivedEvent, Reply, RetryLater } from "PACKAGE/receiver";

const store: HandledIds = new Map<string, string>();
async function onMessage(event: ReceivedEvent) {
  const bytes: Uint8Array = event.bytes();
  const { celsius } = event.json<{ celsius: number }>();
  if (celsius > 100) throw new RetryLater(5);
  if (event.attempt > 10) throw new Gone();
  return new Reply(bytes, event.contentType ?? "text/plain");
}
const receiver = createReceiver({ secret: ["whsec_"], onMessage, store, toleranceSeconds: 60 });
const response: Promise<Response> = receiver.receive(new Request("http://localhost/"));
createServer(receiver.node);
express().all("/hook", receiver.express);
fastify().register(receiver.fastify, { path: "/hook" });
fastify({ http2: false, logger: true }).register(receiver.fastify, { path: "/hook" });
// @ts-expect-error the path is missing
fastify().register(receiver.fastify, {});
// @ts-expect-error the secret is missing
createReceiver({ onMessage });
// @ts-expect-error there is no such option
createReceiver({ secret: "", onMessage, tolerance: 5 });
console.log(response);
`;

describe("the export ./receiver", () => {
  const { name } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  let folder: string;

  before(() => {
    assert.ok(existsSync(join(ROOT, "dist/receiver/index.js")), "run `npm run build` first");
    folder = temporaryDirectory("package");
    const modules = join(folder, "node_modules");
    mkdirSync(join(modules, "@types"), { recursive: true });
    symlinkSync(ROOT, join(modules, name));
    for (const each of ["express", "fastify", "@types/express", "@types/node"]) {
      symlinkSync(join(ROOT, "node_modules", each), join(modules, each));
    }
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  });

  it("has types that fit the servers", () => {
    writeFileSync(join(folder, "program.ts"), PROGRAM.replaceAll("PACKAGE", name));
    const program = ts.createProgram([join(folder, "program.ts")], {
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      target: ts.ScriptTarget.ES2023,
      strict: true,
      skipLibCheck: true,
      noEmit: true,
      types: ["node"],
      esModuleInterop: true,
    });
    const problems = ts.getPreEmitDiagnostics(program);
    assert.deepEqual(
      problems.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n")),
      [],
    );
  });

  it("runs with the globals that fetch runtimes share, without Node.js", async () => {
    const { outputFiles } = await build({
      entryPoints: [join(ROOT, "dist/receiver/index.js")],
      bundle: true,
      platform: "browser",
      format: "iife",
      globalName: "library",
      write: false,
    });
    const topics: string[] = [];
    const onMessage = ({ topic }: { topic: string }) => void topics.push(topic);
    const shared = { crypto, performance, Request, Response, TextDecoder, TextEncoder, atob, btoa, console };
    const context = createContext({ ...shared, onMessage, secret: SECRET });
    runInContext(`${outputFiles[0]!.text}; var receiver = library.createReceiver({ secret, onMessage });`, context);
    for (const mode of ["structured", "binary"] as const) {
      const request = toRequest(callOf(messageOf(`${mode}/ü`, "1"), { mode }));
      assert.equal((await context.receiver.receive(request)).status, 204);
    }
    assert.deepEqual(topics, ["structured/ü", "binary/ü"]);
  });

  it("loads by its name and answers calls", () => {
    const code = `
      const { createReceiver } = await import("${name}/receiver");
      const secret = "whsec_" + btoa("x".repeat(32));
      const { status } = await createReceiver({ secret, onMessage() {} }).receive(
        new Request("http://localhost/", { method: "POST", body: "{}" }),
      );
      console.log(status);`;
    const output = execFileSync(process.execPath, ["--input-type=module", "--eval", code], {
      cwd: folder,
      encoding: "utf8",
    });
    assert.equal(output, "401\n");
  });
});
