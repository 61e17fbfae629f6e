/** Builds the dashboard into `dist/dashboard`, with each text file also compressed: the bridge compresses nothing. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { constants, gzipSync } from "node:zlib";
import { build } from "vite";

const ASSETS = fileURLToPath(new URL("../dist/dashboard/assets/", import.meta.url));

await build({
  configFile: fileURLToPath(new URL("../dashboard/vite.config.ts", import.meta.url)),
  logLevel: "warn",
});
for (const name of readdirSync(ASSETS)) {
  const path = join(ASSETS, name);
  writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: constants.Z_BEST_COMPRESSION }));
}
