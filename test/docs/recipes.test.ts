/** The form of the recipes: both directions with output that is checked, and no command that is not run. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type Block, blocks, ROOT, recipes } from "./pages.ts";
import { isRun, PARTS } from "./recipes.ts";
import { NOTE, shownPattern } from "./walkthrough.ts";

const { start, recipes: all } = recipes();
/** Headings that every recipe has. The words after a colon say what it shows. */
const SECTIONS = [/^Uplink: ./, /^Downlink: ./, /^In production$/];

/** Sections by heading, with their blocks. */
function sections(markdown: string): Map<string, Block[]> {
  const [, ...parts] = markdown.split(/^## /m);
  return new Map(parts.map((part) => [part.slice(0, part.indexOf("\n")), blocks(part)]));
}

const isCommand = ({ notes }: Block) => notes.some((note) => note.startsWith("run"));
const isChecked = ({ notes }: Block) => notes.some((note) => /^(shown|expect)/.test(note));

describe("docs/recipes/", () => {
  it("has recipes", () => assert.ok(all.length > 0));

  it("is run by a file for each part", () => {
    const files = Array.from({ length: PARTS + 1 }, (_, i) => join(ROOT, `test/docs/recipes-${i + 1}.test.ts`));
    assert.deepEqual(
      files.map((file) => existsSync(file)),
      [...Array(PARTS).fill(true), false],
    );
    for (const [i, file] of files.slice(0, PARTS).entries()) {
      assert.ok(readFileSync(file, "utf8").includes(`testRecipes(${i + 1});`), file);
    }
  });

  for (const { path, text } of [start, ...all]) {
    it(`${path}: the notes are understood, and each command and output has one`, () => {
      const found = blocks(text);
      for (const { line, language, notes } of found) {
        for (const note of notes) assert.match(note, NOTE, `${path}:${line}`);
        if (["sh", "text"].includes(language)) assert.notEqual(notes.length, 0, `${path}:${line}: not run or checked`);
      }
      const comments = text.match(/<!--/g)?.length ?? 0;
      assert.equal(found.flatMap(({ notes }) => notes).length, comments, `${path}: a comment stands alone`);
    });
  }

  for (const { path, text } of all) {
    it(`${path} goes in both directions, and says what production needs`, () => {
      const found = sections(text);
      for (const wanted of SECTIONS) {
        assert.ok(
          [...found.keys()].some((heading) => wanted.test(heading)),
          `a section ${wanted}`,
        );
      }
      for (const [heading, own] of found) {
        if (!/^(Up|Down)link: /.test(heading)) continue;
        assert.ok(own.some(isCommand) && own.some(isChecked), `${heading}: a command, and output that is checked`);
      }
      assert.ok(text.includes("](README.md#before-you-start)"), "a link to the first steps");
    });

    it(`${path} leaves no shell block out`, () => {
      const left = blocks(text).filter((block) => block.language === "sh" && !isRun(block));
      assert.deepEqual(
        left.map(({ line, notes }) => `${line}: ${notes}`),
        [],
      );
    });
  }
});

describe("output as it is shown", () => {
  for (const [shown, output, matches] of [
    ["a", "x a y", true],
    ["a.c", "abc", false],
    ['{"id":"msg_…","n":1}', '{"id":"msg_01","n":1}', true],
    ["a…b", "a\nb", false],
    ["a\nb", "a\nb", true],
    ["a\nb", "a\nx\nb", false],
    ["a\n…\nb", "a\nx\ny\nb", true],
    ["a\n…\nb", "a\nb", true],
    ["a\n…\nb", "a\nxb", false],
    ["a\n…\nb", "b\na", false],
  ] as const) {
    it(`${JSON.stringify(shown)} ${matches ? "matches" : "does not match"} ${JSON.stringify(output)}`, () =>
      assert.equal(shownPattern(shown).test(output), matches));
  }
});
