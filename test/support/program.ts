/** The bridge's own program, as tests start it. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BUNDLE = join(ROOT, "dist/causeway.js");

/**
 * Arguments for Node that run the bridge: the built program where it is newer than every source file, since it starts
 * several times faster; otherwise the sources.
 */
export const MAIN: readonly string[] = isBuilt() ? [BUNDLE] : fromSource("src/main.ts");

/** The same for the program `causeway`. */
export const CLI: readonly string[] = isBuilt() ? [join(ROOT, "dist/cli.js")] : fromSource("src/cli/cli.ts");

function fromSource(file: string): string[] {
  return ["--import", import.meta.resolve("tsx"), join(ROOT, file)];
}

function isBuilt(): boolean {
  const builtAt = statSync(BUNDLE, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const sources = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" });
  const files = [...sources.map((file) => join("src", file)), "openapi/openapi.yaml"];
  return files.every((file) => statSync(join(ROOT, file)).mtimeMs < builtAt);
}
