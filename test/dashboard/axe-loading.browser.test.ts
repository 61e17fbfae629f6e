/** Every page while its calls wait for their responses: a skeleton in the place of the data, and no violation of axe-core. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { requireOrSkip } from "../support/requirements.ts";
import { ALL_PAGES, type FaultyPages, startFaultyPages, WITHOUT_READ } from "./axe-faults.ts";
import { look, TWO_LOOKS } from "./axe-walk.ts";

/** These say in words that they wait: the form needs nothing to begin with, and a stream has no first response. */
const IN_WORDS: Record<string, string> = { [WITHOUT_READ]: "Name a topic filter", live: "Connecting" };

describe("pages that load", requireOrSkip("chromium"), () => {
  let pages: FaultyPages;
  before(async () => {
    pages = await startFaultyPages();
    pages.faults.hold();
  });
  after(() => pages?.stop());

  for (const name of ALL_PAGES) {
    it(`/${name}`, async () => {
      await pages.open(name);
      const { page } = pages.window;
      const words = IN_WORDS[name];
      await (words ? page.getByText(words) : page.getByRole("status", { name: "Loading" })).first().waitFor();
      assert.deepEqual(await look(pages.window, `${name} loading`, TWO_LOOKS), []);
    });
  }

  it("no page breaks its content security policy", () => assert.deepEqual(pages.window.violations, []));
});
