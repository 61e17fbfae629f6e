/**
 * Data directories whose embedded store exists already, but is empty. Creating the database takes several times longer
 * than starting the bridge, so it is done once for each version of the tables and copied for each test.
 */
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { temporaryDirectory } from "./directories.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CACHE = join(ROOT, "node_modules/.cache/causeway");

/** Creates a temporary `DATA_DIR` with an empty embedded store. */
export async function temporaryDataDirectory(prefix = "test", parent?: string): Promise<string> {
  const directory = temporaryDirectory(prefix, parent);
  cpSync(await preparedStore(), join(directory, "store"), { recursive: true });
  return directory;
}

let prepared: Promise<string> | undefined;

function preparedStore(): Promise<string> {
  prepared ??= prepare();
  return prepared;
}

async function prepare(): Promise<string> {
  const place = join(CACHE, `store-${digest()}`);
  if (existsSync(place)) return place;
  const dataDir = temporaryDirectory("prepared", makeCache());
  // Imported only now: it is slow, and only the first test file needs it.
  const { openEmbeddedStore } = await import("../../src/store/embedded/open.ts");
  const store = await openEmbeddedStore({ dataDir, log: { info() {}, warn() {}, error() {} } });
  await store.close();
  try {
    renameSync(join(dataDir, "store"), place);
  } catch (error) {
    if (!existsSync(place)) throw error; // another test file was faster
  }
  return place;
}

/** Creates the cache and removes stores of other versions. */
function makeCache(): string {
  mkdirSync(CACHE, { recursive: true });
  for (const name of readdirSync(CACHE))
    if (name.startsWith("store-") && name !== `store-${digest()}`)
      rmSync(join(CACHE, name), { recursive: true, force: true });
  return CACHE;
}

/** Digest of everything that decides about the files of an empty store. */
function digest(): string {
  const hash = createHash("sha256");
  const sources = join(ROOT, "src/store/embedded");
  const packages = ["@electric-sql/pglite", "bullmq"].map((name) => join(ROOT, "node_modules", name, "package.json"));
  for (const file of [...readdirSync(sources).map((name) => join(sources, name)), ...packages])
    hash.update(readFileSync(file));
  return hash.digest("hex").slice(0, 16);
}
