/**
 * The last step of `npm run build`, after the compiler: the OpenAPI document as JSON, a JSON Schema for the files of
 * `causeway apply`, and `dist/causeway.js`, which is
 * `dist/main.js` with all modules that it loads in one file. Loading a thousand files takes 0.8 s of CPU at every
 * start, and 20 MB. `dist/cli.js` is the program `causeway` in the same way; commands that need large modules load them
 * from files of their own.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { parseDocument, readYaml } from "../src/http/document.ts";
import { configurationSchema } from "./configuration-schema.ts";
import { quickCommander } from "./ioredis.ts";

const SRC = fileURLToPath(new URL("../src/", import.meta.url));
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

/** `causeway start` loads the bundle of the bridge, not a second copy of its modules. */
const bridgeBundle: Plugin = {
  name: "bridge-bundle",
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.\/\.\.\/main\.js$/ }, () => ({ path: "./causeway.js", external: true }));
  },
};

/**
 * Programs of other processes and threads: they start with the bridge, or with its first expression. Each in one file,
 * in place of the compiler's, and the modules that the thread of the embedded store loads by their URLs with its classes.
 */
const PROGRAMS = [
  ["uplink/expressions/sandbox-child.ts"],
  [
    "bullmq-sqlite/engine/worker.ts",
    "bullmq-sqlite/procedures/index.ts",
    "store/sqlite/procedures.ts",
    "mqtt/embedded/sqlite-procedures.ts",
  ],
];

/** Modules that others load at their start for what the bridge does not use. */
const UNUSED = [
  // BullMQ's third backend, with its SQL texts as strings.
  "bullmq/dist/\\w+/postgres/index.js",
  // BullMQ's schedulers with a cron pattern.
  "cron-parser/dist/index.js",
  // Lists the files of a folder, where @fastify/static is to serve no others.
  "glob/dist/.+.js",
];

const withoutUnused: Plugin = {
  name: "without-unused",
  setup({ onLoad }) {
    const filter = new RegExp(`[\\\\/](?:${UNUSED.join("|").replaceAll("/", "[\\\\/]")})$`);
    onLoad({ filter }, () => ({ contents: "", loader: "js" }));
  },
};

const common: BuildOptions = {
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
  logLevel: "warning",
};

const openapi = await parseDocument(readYaml());
writeFileSync(`${DIST}http/openapi.json`, JSON.stringify(openapi));
writeFileSync(`${DIST}configuration.schema.json`, JSON.stringify(configurationSchema(openapi.components.schemas)));
await build({
  ...common,
  banner: { js: COMMON_JS },
  entryPoints: [`${DIST}main.js`],
  outfile: `${DIST}causeway.js`,
  plugins: [withoutUnused, quickCommander, ownUrls],
});

// The names of the parts change with their content.
for (const name of readdirSync(DIST)) if (/^(?:cli|thread)-\w+\.js$/.test(name)) rmSync(DIST + name);
for (const names of PROGRAMS) {
  await build({
    ...common,
    entryPoints: names.map((name) => SRC + name),
    outbase: SRC,
    outdir: DIST,
    splitting: true,
    chunkNames: "thread-[hash]",
  });
}
await build({
  ...common,
  banner: { js: COMMON_JS },
  entryPoints: [{ in: `${DIST}cli/cli.js`, out: "cli" }],
  outdir: DIST,
  splitting: true,
  chunkNames: "cli-[hash]",
  plugins: [bridgeBundle, ownUrls],
});
