/** Tables with more rows than are rendered at once: the head stays in sight. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { API_KEY } from "../support/bridge.ts";
import { startBrowser, type TestBrowser } from "../support/browser.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { type BusyBridge, startBusyBridge } from "./page-load.ts";

/** With one delivery each: more than are rendered at once. */
const WEBHOOKS = 160;

describe("long tables", requireOrSkip("chromium"), () => {
  let busy: BusyBridge;
  let browser: TestBrowser;
  before(async () => {
    busy = await startBusyBridge(WEBHOOKS, 1);
    browser = await startBrowser(busy.bridge.url);
  });
  after(async () => {
    await browser?.close();
    await busy?.stop();
  });

  for (const [address, label] of [
    ["deliveries", "Deliveries"],
    ["webhooks", "Webhooks"],
  ] as const) {
    for (const [device, width, height] of [
      ["a wide window", 1_280, 800],
      ["a narrow one", 1_100, 800],
      ["a phone", 360, 740],
    ] as const) {
      it(`of ${address} keep their head in sight on ${device}`, async () => {
        // Otherwise the rows would be there already.
        const load = true;
        const { page, violations } = await browser.openAs(API_KEY, address, { viewport: { width, height }, load });
        const table = page.getByRole("region", { name: label, exact: true });
        for (let more = 0; more < 2; more++) await page.getByRole("button", { name: "Load more" }).click();
        await table.locator('[aria-rowcount="151"]').waitFor();
        // The window, then the frame: only one of them has far to scroll.
        await page.evaluate("scrollTo(0, 3000)");
        await table.evaluate((frame) => frame.scrollTo(0, 3_000));
        await table.locator('tr[aria-rowindex="95"]').waitFor();
        const head = (await table.locator("thead th").first().boundingBox())!;
        const row = (await table.locator('tr[aria-rowindex="95"]').boundingBox())!;
        const top = Math.max(0, (await table.boundingBox())!.y);
        assert.ok(head.y >= 0 && head.y <= top + 1, `the head is at ${head.y}, its place at ${top}`);
        assert.ok(row.y > head.y, "rows pass below it");
        assert.ok(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "no scrolling sideways");
        assert.deepEqual(violations, []);
      });
    }
  }
});
