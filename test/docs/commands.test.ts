/** The pages that a newcomer follows, and the notes on all pages. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { testPages } from "./commands.ts";
import { blocks, pages } from "./pages.ts";
import { NOTE } from "./walkthrough.ts";

testPages("tour");

describe("the notes in the documentation", () => {
  for (const { path, text } of pages()) {
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
