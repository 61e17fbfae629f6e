/**
 * README.md and docs/*.md, followed to the letter as `walkthrough.ts` describes. The pages are divided among files that
 * run at the same time; those of a file run in one folder and against one bridge, in the order of `pages.ts`.
 */
import { after, before, describe, it } from "node:test";
import { requireOrSkip } from "../support/requirements.ts";
import { scaled } from "../support/speed.ts";
import { type Block, blocks, pages, TOUR } from "./pages.ts";
import { WAIT_MS, Walkthrough } from "./walkthrough.ts";

type Part = "tour" | "cli" | "others";

/** Programs to copy have a test of their own: `receivers.test.ts`. */
const ONLY_MARKED = ["docs/receivers.md"];
const PROGRAMS = ["bash", "curl", "mosquitto_pub", "mosquitto_sub", "mosquitto"];

function partOf(path: string): Part {
  if (path === "docs/cli.md") return "cli";
  return TOUR.includes(path) ? "tour" : "others";
}

/** As docs/cli.md says, since the ports are taken here. */
const ADDRESS: Block = { line: 0, language: "sh", code: "export CAUSEWAY_URL=http://127.0.0.1:8080\n", notes: ["run"] };

const isRun = ({ notes }: Block) => notes.some((note) => !note.startsWith("not run: "));
/** The bridge of README.md and its programs, which other pages use. */
const isPreparation = ({ notes }: Block) => notes.some((note) => /^(?:run as: bridge,|file: )/.test(note));

/** Defines the tests of the pages of a part. */
export function testPages(part: Part): void {
  const all = pages();
  describe("the documentation", requireOrSkip(...PROGRAMS), () => {
    let walkthrough: Walkthrough;

    before(
      async () => {
        walkthrough = await Walkthrough.begin();
        if (part === "tour") return;
        const readme = all.find(({ path }) => path === "README.md")!;
        for (const block of blocks(readme.text).filter(isPreparation).concat(ADDRESS)) await walkthrough.perform(block);
      },
      { timeout: scaled(2 * WAIT_MS) },
    );
    after(() => walkthrough?.end());

    for (const { path, text } of all.filter(({ path }) => partOf(path) === part && !ONLY_MARKED.includes(path))) {
      for (const block of blocks(text).filter(isRun)) {
        it(`${path}:${block.line}: ${block.notes[0]}`, { timeout: scaled(2 * WAIT_MS) }, () =>
          walkthrough.perform(block),
        );
      }
    }
  });
}
