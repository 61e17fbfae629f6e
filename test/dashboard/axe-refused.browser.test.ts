/** Every page whose calls are refused because the store is away: the reason and its code, and no violation of axe-core. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { requireOrSkip } from "../support/requirements.ts";
import { ALL_PAGES, type FaultyPages, startFaultyPages, WITHOUT_READ } from "./axe-faults.ts";
import { look, TWO_LOOKS } from "./axe-walk.ts";
import { REFUSALS } from "./call-faults.ts";

describe("pages without the store", requireOrSkip("chromium"), () => {
  let pages: FaultyPages;
  before(async () => {
    pages = await startFaultyPages();
    pages.faults.refuse(REFUSALS.store);
  });
  after(() => pages?.stop());

  for (const name of ALL_PAGES) {
    it(`/${name}`, async () => {
      await pages.open(name);
      const { page } = pages.window;
      if (name === WITHOUT_READ) {
        await page.getByLabel("Topic filters").fill("pump/#");
        await page.getByLabel("URL", { exact: true }).fill("https://example.com/");
      }
      await page.getByRole("alert").filter({ hasText: "code store_unavailable" }).first().waitFor();
      if (name === WITHOUT_READ) await page.getByText("Which messages there are is unknown.").waitFor();
      // Another call of the page may still wait for its refusal.
      await page.getByText("Counting.").first().waitFor({ state: "detached" });
      const text = (await page.locator("main").textContent())!;
      assert.match(text, /The store does not respond\./);
      assert.doesNotMatch(
        text,
        /Counting\.|No message on|Loading/,
        "it claims nothing about data that it has not read",
      );
      assert.deepEqual(await look(pages.window, `${name} without the store`, TWO_LOOKS), []);
    });
  }

  it("no page breaks its content security policy", () => assert.deepEqual(pages.window.violations, []));
});
