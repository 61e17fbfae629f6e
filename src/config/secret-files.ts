/** Secrets in files, as Docker, Kubernetes and systemd mount them: `API_KEY_FILE` instead of `API_KEY`. */
import { readFileSync } from "node:fs";
import { type Mistakes, type Raw, SECRETS } from "./variables.ts";

/**
 * Sets the variables whose `_FILE` is given to the content of the file, without its trailing newline. A path is no
 * secret, so messages show it.
 * @returns the variables that come from files
 */
export function readSecretFiles(raw: Raw, mistakes: Mistakes): string[] {
  return SECRETS.filter((name) => {
    const path = raw[`${name}_FILE`];
    if (!path) return false;
    if (raw[name]) {
      mistakes.set(`${name}_FILE`, `must not be given together with ${name}`);
      return false;
    }
    try {
      raw[name] = readFileSync(path, "utf8").replace(/\r?\n$/, "");
      if (raw[name] === "") mistakes.set(`${name}_FILE`, `the file ${path} is empty`);
    } catch (error) {
      mistakes.set(`${name}_FILE`, `the file ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
      return false;
    }
    return true;
  });
}
