/**
 * README.md and docs/*.md, followed to the letter as `walkthrough.ts` describes. All pages run in one folder and against
 * one bridge, in the order of `pages.ts`.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { requireOrSkip } from "../support/requirements.ts";
import { scaled } from "../support/speed.ts";
import { blocks, pages } from "./pages.ts";
import { NOTE, WAIT_MS, Walkthrough } from "./walkthrough.ts";

/** Programs to copy have a test of their own: `receivers.test.ts`. */
const ONLY_MARKED = ["docs/receivers.md"];
const PAGES = pages();

describe("the documentation", requireOrSkip("bash", "curl", "mosquitto_pub", "mosquitto_sub", "mosquitto"), () => {
  let walkthrough: Walkthrough;

  before(async () => {
    walkthrough = await Walkthrough.begin();
  });
  after(() => walkthrough.end());

  for (const { path, text } of PAGES) {
    if (ONLY_MARKED.includes(path)) continue;
    for (const block of blocks(text).filter(({ notes }) => notes.some((note) => !note.startsWith("not run: ")))) {
      it(`${path}:${block.line}: ${block.notes[0]}`, { timeout: scaled(2 * WAIT_MS) }, () =>
        walkthrough.perform(block),
      );
    }
  }
});

describe("the notes in the documentation", () => {
  for (const { path, text } of PAGES) {
    it(`of ${path} are understood, stand right before a block, and cover every shell block`, () => {
      const all = blocks(text);
      for (const { line, language, notes } of all) {
        for (const note of notes) assert.match(note, NOTE, `${path}:${line}`);
        if (language === "sh")
          assert.notEqual(notes.length, 0, `${path}:${line}: run it, or say \`not run: <reason>\``);
      }
      const comments = text.match(/<!--(?! \/?measured)/g)?.length ?? 0;
      assert.equal(all.flatMap(({ notes }) => notes).length, comments, `${path}: a comment stands alone`);
    });
  }
});
