/** Every page with data in both themes and two widths: no violation of axe-core. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { API_KEY } from "../support/bridge.ts";
import { goTo, startBrowser, type TestBrowser, type TestWindow } from "../support/browser.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { look, PAGES } from "./axe-walk.ts";
import { type Plant, startPlant } from "./plant.ts";

describe("pages with data", requireOrSkip("chromium"), () => {
  let plant: Plant;
  let browser: TestBrowser;
  let window: TestWindow;
  before(async () => {
    plant = await startPlant();
    for (let n = 0; n < 3; n++) await plant.publish();
    await plant.bridge.api("POST", "/v1/keys", { name: "tenant", scopes: ["view"], read: ["#"] });
    await plant.bridge.api("POST", "/v1/hooks", { name: "Lamps", topic: "lamps/{query.id}/set" });
    browser = await startBrowser(plant.bridge.url);
    window = await browser.openAs(API_KEY, "");
  });
  after(async () => {
    await browser?.close();
    await plant?.stop();
  });

  for (const page of PAGES) {
    it(`/${page}`, async () => {
      await goTo(window.page, `/${page}`);
      assert.deepEqual(await look(window, page), []);
    });
  }

  it("no page breaks its content security policy", () => assert.deepEqual(window.violations, []));
});
