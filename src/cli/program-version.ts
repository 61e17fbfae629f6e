import { readFileSync } from "node:fs";

/** package.json is two folders up both from src/cli and from dist/cli. */
const MANIFEST = new URL("../../package.json", import.meta.url);

export function versionOf(): string {
  return (JSON.parse(readFileSync(MANIFEST, "utf8")) as { version: string }).version;
}
