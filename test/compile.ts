/** Compiles test files: loading TypeScript takes each process half a second of CPU time, and each module more. */
import { readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { build, type Plugin } from "esbuild";
import { bundledPackages, bundlePackages } from "./packages.ts";
import { IS_BUILT } from "./support/program.ts";

/**
 * A module finds the files beside it by its own address. That of a test stays the address of its source. The program
 * gets that of the built one: its threads and processes start several times faster than from the sources.
 */
function ownAddresses(root: string): Plugin {
  const addressOf = (path: string) => {
    const name = relative(root, path).split(sep);
    if (name[0] !== "src" || !IS_BUILT) return path;
    return join(root, "dist", ...name.slice(1)).replace(/\.ts$/, ".js");
  };
  return {
    name: "own-addresses",
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const code = readFileSync(path, "utf8");
        if (!code.includes("import.meta.")) return undefined;
        const address = addressOf(path);
        const contents = code
          .replaceAll("import.meta.url", JSON.stringify(pathToFileURL(address).href))
          .replaceAll("import.meta.dirname", JSON.stringify(dirname(address)));
        return { contents, loader: "ts" };
      });
    },
  };
}

/** Writes each file, such as `test/a.test.ts`, to `to`, such as `to/test/a.test.js`; packages stay outside. */
export async function compile(files: string[], root: string, to: string): Promise<void> {
  const packages = join(to, "packages");
  await bundlePackages(packages);
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
    plugins: [bundledPackages(packages), ownAddresses(root)],
    logLevel: "warning",
  });
}
