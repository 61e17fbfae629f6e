/** Pages that were open when the bridge died: they show the last data with its age, and recover by themselves. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { requireOrSkip } from "../support/requirements.ts";
import { type FaultyPages, startFaultyPages } from "./axe-faults.ts";
import { look, TWO_LOOKS } from "./axe-walk.ts";

/** The words on each page while the bridge is away. */
const AS_OF = /^As of .*, reconnecting\.$/;
const NO_STREAM = /^The messages cannot be shown$/;
const NO_MESSAGES = /^The messages could not be read$/;
const NOTICES: [page: string, notice: RegExp][] = [
  ["", AS_OF],
  ["webhooks", AS_OF],
  ["webhooks/WEBHOOK", AS_OF],
  ["deliveries", AS_OF],
  ["deliveries?open=WEBHOOK.MESSAGE", AS_OF],
  ["live", NO_STREAM],
  ["live?panel=publish", NO_STREAM],
  ["keys", AS_OF],
  ["hooks", AS_OF],
  ["workbench?webhook=WEBHOOK", NO_MESSAGES],
  ["settings", AS_OF],
];

describe("pages while the bridge is away", requireOrSkip("chromium"), () => {
  let pages: FaultyPages;
  before(async () => {
    pages = await startFaultyPages();
    // Nothing is loaded anew: what was read once is shown.
    for (const [name] of NOTICES) await show(name);
    await pages.plant.bridge.kill();
  });
  after(() => pages?.stop());

  /** Goes to a page as a link does, and waits until it has settled. */
  async function show(name: string): Promise<void> {
    const { page } = pages.window;
    await pages.open(name);
    await page.getByRole("status", { name: "Loading" }).first().waitFor({ state: "detached" });
  }

  for (const [name, notice] of NOTICES) {
    it(`/${name} shows the age of its data`, async () => {
      await show(name);
      await pages.window.page.getByText(notice).first().waitFor();
      assert.deepEqual(await look(pages.window, `${name} offline`, TWO_LOOKS), []);
    });
  }

  it("what is read once is read again by itself", async () => {
    const { page } = pages.window;
    await show("workbench?webhook=WEBHOOK");
    await page.getByText(NO_MESSAGES).waitFor();
    await pages.plant.bridge.start();
    await page.getByText(NO_MESSAGES).waitFor({ state: "detached" });
    for (const [name, notice] of NOTICES) {
      await show(name);
      await page.getByText(notice).first().waitFor({ state: "detached" });
    }
  });

  it("a page that is read again and again, and a stream that could not begin, come back by themselves", async () => {
    const { page, violations } = pages.window;
    await pages.plant.bridge.kill();
    await page.getByText(AS_OF).first().waitFor();
    await show("live");
    await page.getByText(NO_STREAM).waitFor();
    await pages.plant.bridge.start();
    await page.getByText(NO_STREAM).waitFor({ state: "detached" });
    await page.getByText("Live", { exact: true }).last().waitFor();
    assert.deepEqual(violations, []);
  });
});
