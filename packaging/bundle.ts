/**
 * The last step of `npm run build`, after the compiler: the OpenAPI document as JSON, and `dist/causeway.js`, which is
 * `dist/main.js` with all modules that it loads in one file. Loading a thousand files takes 0.8 s of CPU at every
 * start, and 20 MB.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import { parseDocument, readYaml } from "../src/http/document.ts";

const DIST = fileURLToPath(new URL("../dist/", import.meta.url));

/** CommonJS modules need these names, which an ES module does not have. */
const COMMON_JS = `
import { createRequire as createRequireOfBundle } from "node:module";
import { dirname as dirnameOfBundle } from "node:path";
import { fileURLToPath as pathOfBundle } from "node:url";
const require = createRequireOfBundle(import.meta.url);
const __filename = pathOfBundle(import.meta.url);
const __dirname = dirnameOfBundle(__filename);
`;

/**
 * Modules find the files beside them by `import.meta.url`: programs of other threads and processes, documents,
 * package.json. In the bundle it stays the URL of the module's own file.
 */
const ownUrls: Plugin = {
  name: "own-urls",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]dist[\\/].*\.js$/ }, ({ path }) => {
      if (!path.startsWith(DIST)) return undefined;
      const place = JSON.stringify(relative(DIST, path).split(sep).join("/"));
      const code = readFileSync(path, "utf8").replaceAll("import.meta.url", `new URL(${place}, import.meta.url).href`);
      return { contents: code, loader: "js" };
    });
  },
};

writeFileSync(`${DIST}http/openapi.json`, JSON.stringify(await parseDocument(readYaml())));
await build({
  entryPoints: [`${DIST}main.js`],
  outfile: `${DIST}causeway.js`,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20.19",
  // Native code, and optional packages that are not installed.
  external: ["libsql", "bufferutil", "utf-8-validate"],
  // Saves 10 MB of resident memory; a source map would take 28. Stacks keep the names of functions, and
  // `node --enable-source-maps dist/main.js` runs the same program with the lines of the sources.
  minifyWhitespace: true,
  minifySyntax: true,
  lineLimit: 200,
  banner: { js: COMMON_JS },
  plugins: [ownUrls],
  logLevel: "warning",
});
