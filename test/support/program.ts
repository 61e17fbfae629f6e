/** The bridge's own program, as tests start it. */
import { readdirSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BUNDLE = join(ROOT, "dist/causeway.js");

/** The variable in which a run says whether it found `dist/` built: not every file of tests looks at all sources. */
export const BUILT = "TESTED_BUILT";

/** Whether `dist/` is newer than every source file. */
export const IS_BUILT = process.env[BUILT] === undefined ? isBuilt() : process.env[BUILT] === "true";

/**
 * Arguments for Node that run the bridge: the built program where it is newer than every source file, since it starts
 * several times faster; otherwise the sources.
 */
export const MAIN: readonly string[] = IS_BUILT ? [BUNDLE] : fromSource("src/main.ts");

/** The same for the program `causeway`. */
export const CLI: readonly string[] = IS_BUILT ? [join(ROOT, "dist/cli.js")] : fromSource("src/cli/cli.ts");

/** The same for a module of `src/` without a bundle. @param name without the suffix, such as `demo/demo` */
export function programOf(name: string): readonly string[] {
  return IS_BUILT ? [join(ROOT, `dist/${name}.js`)] : fromSource(`src/${name}.ts`);
}

/** Imports a module of `src/`, or what was built from it. @param name as for {@link programOf} */
export function importBuilt(name: string): Promise<unknown> {
  return import(pathToFileURL(programOf(name).at(-1)!).href);
}

/** Where the run has compiled the tests, and the programs that they start. */
export const COMPILED = "COMPILED_TESTS";

/** Arguments for Node that run a program of `test/`. @param url that of its file, whose name ends with `-process.ts` */
export function testProgram(url: URL): string[] {
  const module = testModule(url);
  return module === url ? fromSource(relative(ROOT, fileURLToPath(url))) : [fileURLToPath(module)];
}

/** Returns the URL of a module that a thread loads. @param url that of its file, which ends with `procedures.ts` */
export function testModule(url: URL): URL {
  const compiled = process.env[COMPILED];
  if (!compiled) return url;
  const file = relative(ROOT, fileURLToPath(url));
  return pathToFileURL(join(compiled, file.replace(/\.ts$/, ".js")));
}

function fromSource(file: string): string[] {
  return ["--import", import.meta.resolve("tsx"), join(ROOT, file)];
}

function isBuilt(): boolean {
  const builtAt = statSync(BUNDLE, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const sources = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" });
  const files = [...sources.map((file) => join("src", file)), "openapi/openapi.yaml"];
  return files.every((file) => statSync(join(ROOT, file)).mtimeMs < builtAt);
}
