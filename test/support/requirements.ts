/** Programs that some tests need: brokers, Redis, Python. CI must have them; elsewhere their tests are skipped by name. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Debian puts servers where an ordinary user's PATH does not look. */
const SERVER_DIRECTORIES = ["/usr/sbin", "/usr/local/sbin", "/sbin"];

/** The path of an installed program, or undefined. */
export function findProgram(name: string): string | undefined {
  const directories = [...(process.env.PATH ?? "").split(delimiter), ...SERVER_DIRECTORIES];
  return directories.map((directory) => join(directory, name)).find(isExecutable);
}

/**
 * Options for `it` or `describe`: the tests are skipped, with the reason, where a program is missing.
 * In CI (`CI` is set) a missing program throws, so that nothing is skipped unnoticed.
 */
export function requireOrSkip(...programs: string[]): { skip: string | false } {
  const missing = programs.filter((name) => findProgram(name) === undefined);
  if (missing.length === 0) return { skip: false };
  const reason = `not installed: ${missing.join(", ")}`;
  if (process.env.CI) throw new Error(`${reason} (CI must install it: see .ci/run)`);
  return { skip: reason };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
