/** Compiles test files: loading TypeScript takes each process half a second of CPU time, and each module more. */
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { build, type Plugin } from "esbuild";

/** A module finds the files beside it by its own address, which stays that of the source. */
const ownAddresses: Plugin = {
  name: "own-addresses",
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const code = readFileSync(path, "utf8");
      if (!code.includes("import.meta.")) return undefined;
      const contents = code
        .replaceAll("import.meta.url", JSON.stringify(pathToFileURL(path).href))
        .replaceAll("import.meta.dirname", JSON.stringify(dirname(path)));
      return { contents, loader: "ts" };
    });
  },
};

/** Writes each file, such as `test/a.test.ts`, to `to`, such as `to/test/a.test.js`; packages stay outside. */
export async function compile(files: string[], root: string, to: string): Promise<void> {
  await build({
    absWorkingDir: root,
    entryPoints: files,
    outbase: root,
    outdir: to,
    bundle: true,
    splitting: true,
    packages: "external",
    format: "esm",
    platform: "node",
    target: "node20.19",
    sourcemap: true,
    sourcesContent: false,
    plugins: [ownAddresses],
    logLevel: "warning",
  });
}
