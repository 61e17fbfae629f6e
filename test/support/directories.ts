import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const made: string[] = [];

process.on("exit", () => {
  for (const dir of made) rmSync(dir, { recursive: true, force: true });
});

/** Creates a directory that is removed when this process ends. */
export function temporaryDirectory(prefix: string, parent = tmpdir()): string {
  const dir = mkdtempSync(join(parent, `causeway-${prefix}-`));
  made.push(dir);
  return dir;
}
