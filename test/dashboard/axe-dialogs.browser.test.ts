/** Dialogs, panels and the pages of one webhook, of each kind: no violation of axe-core. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { API_KEY } from "../support/bridge.ts";
import { goTo, signIn, startBrowser, type TestBrowser, type TestWindow } from "../support/browser.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { look, TWO_LOOKS } from "./axe-walk.ts";
import { type Plant, startPlant } from "./plant.ts";

describe("dialogs and pages of one webhook", requireOrSkip("chromium"), () => {
  let plant: Plant;
  let browser: TestBrowser;
  let window: TestWindow;
  let pull: string;
  before(async () => {
    plant = await startPlant();
    pull = (await plant.bridge.register({ name: "Warehouse", type: "pull", topics: ["pump/#"] })).id;
    for (let n = 0; n < 3; n++) await plant.publish();
    await plant.bridge.api("POST", "/v1/keys", { name: "tenant", scopes: ["view"], read: ["#"] });
    browser = await startBrowser(plant.bridge.url);
    window = await browser.open();
    await window.page.goto(plant.bridge.url);
    await signIn(window.page, API_KEY);
  });
  after(async () => {
    await browser?.close();
    await plant?.stop();
  });

  const open = async (page: string) => {
    const path = page.replace("PUSH", plant.webhooks.Analytics!).replace("PULL", pull);
    // Over another page, which closes the dialog of the test before.
    await goTo(window.page, "/settings");
    await goTo(window.page, `/${path}`);
  };

  for (const page of ["webhooks/PUSH", "webhooks/PULL", "webhooks/PULL/edit"]) {
    it(`/${page}`, async () => {
      await open(page);
      await window.page
        .getByText(page.includes("PUSH") ? "Analytics" : "Warehouse")
        .first()
        .waitFor();
      assert.deepEqual(await look(window, page, TWO_LOOKS), []);
    });
  }

  const dialogs: [page: string, button?: string][] = [
    ["keys?new=1"],
    ["keys", "Revoke tenant"],
    ["keys", "Portal link for tenant"],
    ["hooks?new=1"],
    ["webhooks/PUSH", "Retry deliveries"],
    ["webhooks/PUSH", "Rotate the secret"],
    ["webhooks/PUSH", "Delete the webhook"],
  ];
  for (const [page, button] of dialogs) {
    it(`the dialog ${button ?? "that opens"} on /${page}`, async () => {
      await window.page.setViewportSize({ width: 1280, height: 800 });
      await open(page);
      if (button) await window.page.getByRole("button", { name: button }).first().click();
      await window.page.getByRole("dialog").first().waitFor();
      assert.deepEqual(await look(window, `${page} ${button ?? ""}`, TWO_LOOKS), []);
    });
  }

  it("no page breaks its content security policy", () => assert.deepEqual(window.violations, []));
});
