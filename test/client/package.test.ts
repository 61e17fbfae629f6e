/** The package as npm would publish it: entry points, types, and a client that runs in browsers. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import ts from "typescript";
import { temporaryDirectory } from "../support/directories.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const PROGRAM = `
import { Causeway, isCausewayError, payloadJson } from "causeway-mqtt/client";
const causeway = new Causeway({ url: "http://127.0.0.1:8080", apiKey: "x" });
try {
  const { outcome } = await causeway.messages.publish({ topic: "a", payload: { led: "on" } });
  const sent: "sent" | "acknowledged" = outcome;
  for await (const { id, state } of causeway.webhooks.list({ limit: 10 })) console.log(id, state, sent);
  for await (const event of causeway.stream(["a/#"])) console.log(payloadJson<{ n: number }>(event).n);
  // @ts-expect-error the topic is missing
  await causeway.messages.publish({ payload: 1 });
  // @ts-expect-error there is no such state
  await causeway.webhooks.create({ url: "https://example.com", topics: ["a"], ordering: "sideways" });
} catch (error) {
  if (isCausewayError(error, "invalid_topic")) console.log(error.errors[0]?.path);
  // @ts-expect-error there is no such code
  isCausewayError(error, "invalid_topics");
}
`;

describe("the package", () => {
  let folder: string;
  let tarball: Buffer;

  before(() => {
    assert.ok(existsSync(join(ROOT, "dist/client/index.js")), "run `npm run build` first");
    folder = temporaryDirectory("package");
    // Scripts would build again, under the feet of other tests.
    const pack = ["pack", "--ignore-scripts", "--json", "--pack-destination", folder];
    const [{ filename }] = JSON.parse(execFileSync("npm", pack, { cwd: ROOT, encoding: "utf8" }));
    tarball = readFileSync(join(folder, filename));
    execFileSync("tar", ["-xzf", filename], { cwd: folder });
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(join(folder, "package"), join(folder, "node_modules/causeway-mqtt"));
    // The dependencies of the package lie beside it.
    symlinkSync(join(ROOT, "node_modules"), join(folder, "package/node_modules"));
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    writeFileSync(join(folder, "program.ts"), PROGRAM);
  });

  it("has entry points that all tools find", async () => {
    const buffer = new Uint8Array(tarball).buffer;
    const { messages, pkg } = await publint({ pack: { tarball: buffer }, strict: true });
    assert.deepEqual(
      messages.map((message) => formatMessage(message, pkg)),
      [],
    );
  });

  for (const [name, options] of [
    ["Node.js", { module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext }],
    ["bundlers", { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler }],
  ] as const) {
    it(`types a program for ${name}, without the types of Node.js`, () => {
      const program = ts.createProgram([join(folder, "program.ts")], {
        ...options,
        target: ts.ScriptTarget.ES2022,
        lib: ["lib.es2022.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"],
        types: [],
        skipDefaultLibCheck: true,
        strict: true,
        noEmit: true,
      });
      const found = ts.getPreEmitDiagnostics(program);
      assert.deepEqual(
        found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n")),
        [],
      );
    });
  }

  it("has a client that imports nothing of Node.js", async () => {
    const { outputFiles, metafile } = await build({
      stdin: { contents: PROGRAM, resolveDir: folder, loader: "ts" },
      bundle: true,
      platform: "browser",
      format: "esm",
      minify: true,
      metafile: true,
      write: false,
      logLevel: "silent",
    });
    const imports = Object.values(metafile.outputs).flatMap((output) => output.imports);
    assert.deepEqual(imports, []);
    assert.ok(outputFiles[0]!.contents.length < 40_000, `the bundle has ${outputFiles[0]!.contents.length} bytes`);
  });
});
