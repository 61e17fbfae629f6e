/** Programs that some tests need: brokers, Redis, Python. CI requires them; elsewhere their tests are skipped. */
import { accessSync, constants } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";

/** Directories where Debian installs servers, outside an ordinary user's PATH. */
const SERVER_DIRECTORIES = ["/usr/sbin", "/usr/local/sbin", "/sbin"];

/** Programs that replace the one asked for where they are installed. */
const PREFERRED: Record<string, string> = {
  // Has no window and no processes for it: browser tests take 40 % less CPU time.
  chromium: "chromium-headless-shell",
};

/** Returns the path of an installed program, or undefined. @param name a path means this one only */
export function findProgram(name: string): string | undefined {
  const preferred = PREFERRED[name];
  return (preferred && findExact(preferred)) ?? findExact(name);
}

function findExact(name: string): string | undefined {
  if (isAbsolute(name)) return isExecutable(name) ? name : undefined;
  const directories = [...(process.env.PATH ?? "").split(delimiter), ...SERVER_DIRECTORIES];
  return directories.map((directory) => join(directory, name)).find(isExecutable);
}

/**
 * Returns options for `it` or `describe` that skip the tests, with the reason, where a program is missing.
 * @throws in CI (`CI` is set) if a program is missing, so that no test is skipped unnoticed
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
