/**
 * Puts each of the larger packages into one file: Node finds, reads and compiles a hundred files of `mqtt` in 0.2 s of
 * CPU time, and the one in 0.04 s. Every file of the tests loads some of them, in a process of its own.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";
import { quickCommander } from "../packaging/ioredis.ts";

const PACKAGES = [
  ...["mqtt", "mqtt-packet", "aedes", "ioredis", "bullmq", "uuid", "lru-cache", "fast-check", "supertest"],
  ...["fastify", "@fastify/helmet", "@fastify/static", "find-my-way", "ajv", "ajv/dist/2020.js", "fast-json-stringify"],
  ...["undici/lib/dispatcher/agent.js"],
  ...["cborg", "@msgpack/msgpack", "yaml", "jsonata", "prom-client", "standardwebhooks", "cloudevents"],
];

const fileOf = (name: string) => `${name.replaceAll(/\W/g, "-")}.mjs`;

/** Where `bundlePackages` writes. */
export function bundledPackages(directory: string): Plugin {
  return {
    name: "bundled-packages",
    setup({ onResolve }) {
      onResolve({ filter: /^[@a-z]/ }, ({ path }) =>
        PACKAGES.includes(path) ? { path: join(directory, fileOf(path)), external: true } : undefined,
      );
    },
  };
}

/** Writes the packages to a directory. They share what several of them load. */
export async function bundlePackages(directory: string): Promise<void> {
  const sources = join(directory, "sources");
  mkdirSync(sources, { recursive: true });
  const entryPoints = PACKAGES.map(async (name) => {
    const names = Object.keys(await import(name)).filter((one) => !one.includes("."));
    const file = join(sources, fileOf(name));
    writeFileSync(file, `export { ${names.join(", ")} } from ${JSON.stringify(name)};\n`);
    return file;
  });
  await build({
    entryPoints: await Promise.all(entryPoints),
    outdir: directory,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    minifyWhitespace: true,
    minifySyntax: true,
    lineLimit: 200,
    // Native code, and optional packages that are not installed.
    external: ["bufferutil", "utf-8-validate"],
    banner: { js: 'import { createRequire } from "node:module";\nconst require = createRequire(import.meta.url);' },
    plugins: [quickCommander],
    logLevel: "warning",
  });
}
