/** Runs recipes of docs/recipes/ against a bridge each: first the commands of docs/recipes/README.md, then their own. */
import { existsSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { requireOrSkip } from "../support/requirements.ts";
import { scaled } from "../support/speed.ts";
import { type Block, blocks, recipes } from "./pages.ts";
import { WAIT_MS, Walkthrough } from "./walkthrough.ts";

/** Files among which the recipes are divided, so that they run at the same time: `recipes-1.test.ts` and so on. */
export const PARTS = 4;

/** Debian's Python, because other installations do not see Debian's Paho package. */
const PYTHON = "/usr/bin/python3";
const PAHO = "/usr/lib/python3/dist-packages/paho";

export const isRun = ({ notes }: Block) => notes.some((note) => !note.startsWith("not run: "));

/** Returns the options of a recipe's tests, which skip it where a program is missing. */
function requirements(all: Block[]): { skip: string | false } {
  const code = all
    .filter(isRun)
    .map((block) => block.code)
    .join("\n");
  const optional = ["mosquitto_pub", "mosquitto_sub"].filter((name) => code.includes(`${name} `));
  const { skip } = requireOrSkip("bash", "curl", ...optional);
  if (skip || !/^import paho/m.test(code) || existsSync(PAHO)) return { skip };
  const reason = "not installed: python3-paho-mqtt";
  if (process.env.CI) throw new Error(`${reason} (CI must install it: see .ci/run)`);
  return { skip: reason };
}

/** Defines the tests of every recipe of a part. @param part from 1 */
export function testRecipes(part: number): void {
  const { start, recipes: all } = recipes();
  for (const { path, text } of all.filter((_, i) => (i % PARTS) + 1 === part)) {
    const own = blocks(text).filter(isRun);
    describe(path, requirements(own), () => {
      let walkthrough: Walkthrough;
      before(
        async () => {
          const programs: Record<string, string> = { node: process.execPath };
          if (existsSync(PYTHON)) programs.python3 = PYTHON;
          walkthrough = await Walkthrough.begin({ programs });
          for (const block of blocks(start.text).filter(isRun)) await walkthrough.perform(block);
        },
        { timeout: scaled(2 * WAIT_MS) },
      );
      after(() => walkthrough?.end());
      for (const block of own) {
        it(`${path}:${block.line}: ${block.notes[0]}`, { timeout: scaled(2 * WAIT_MS) }, () =>
          walkthrough.perform(block),
        );
      }
    });
  }
}
