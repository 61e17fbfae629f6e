/** The workbench in Chromium: expressions tried on real messages. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Page } from "playwright-core";
import { API_KEY } from "../support/bridge.ts";
import { startBrowser, type TestBrowser } from "../support/browser.ts";
import { eventually } from "../support/eventually.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { type Plant, startPlant } from "./plant.ts";

/** Waits until the page sums up the results so; the error has what it says instead. */
const leadOf = (page: Page) => (wanted: RegExp) =>
  eventually(
    () => page.locator(".lead").allTextContents(),
    (texts) => texts.some((text) => wanted.test(text)),
  );

describe("the workbench", requireOrSkip("chromium"), () => {
  let plant: Plant;
  let browser: TestBrowser;
  before(async () => {
    plant = await startPlant();
    browser = await startBrowser(plant.bridge.url);
    for (let n = 0; n < 12; n++) await plant.publish();
    await eventually(
      () => plant.bridge.api("GET", `/v1/webhooks/${plant.webhooks["Pump alarms"]}`),
      ({ body }) => body.counts.succeeded === 12,
    );
  });
  after(async () => {
    await browser?.close();
    await plant?.stop();
  });

  const open = (address: string, options = {}) => browser.openAs(API_KEY, address, options);

  it("tries the expressions of a webhook on its messages, and saves them to it", async () => {
    const id = plant.webhooks["Pump alarms"];
    const { page, violations, axe } = await open(`workbench?webhook=${id}`);
    const lead = leadOf(page);
    await lead(/^\d+ of 12 messages pass$/);
    const filter = page.getByLabel("Filter", { exact: true });
    assert.equal(await filter.inputValue(), "data.pressure > 3");
    assert.equal(await page.getByRole("button", { name: "Save to Pump alarms" }).isDisabled(), true);
    assert.deepEqual(await axe(), []);

    await filter.fill("data.seq <= 3");
    await lead(/^3 of 12 messages pass$/);
    await filter.fill("data.seq <= ");
    await page.locator(".field .error").waitFor();
    assert.equal(await page.getByRole("button", { name: "Save to Pump alarms" }).isDisabled(), true);
    assert.deepEqual(await axe(), []);
    await filter.fill("data.pressure > 0");
    await page.getByLabel("Transform").fill("$error(data)");
    await page.locator(".field .error").waitFor();
    await lead(/^0 of 12 messages pass, 12 fail$/);
    await page.getByLabel("Transform").fill('{ "bar": data.pressure }');
    await lead(/^12 of 12 messages pass$/);

    await page.getByRole("list", { name: "Messages" }).getByRole("button").nth(2).click();
    const result = page.getByRole("region", { name: "Request" });
    await result.getByRole("heading", { name: "Against the result before the edit" }).waitFor();
    await result.locator(".diff .added", { hasText: '"bar"' }).waitFor();
    assert.deepEqual(await axe(), []);
    await page.getByRole("button", { name: "Save to Pump alarms" }).click();
    await page.getByText("Saved to Pump alarms.").waitFor();
    const { body } = await plant.bridge.api("GET", `/v1/webhooks/${id}`);
    assert.deepEqual([body.filter, body.transform], ["data.pressure > 0", '{ "bar": data.pressure }']);
    assert.equal(await page.getByRole("button", { name: "Save to Pump alarms" }).isDisabled(), true);
    assert.deepEqual(violations, []);
  });

  it("follows the topic filter in the address, and takes live messages", async () => {
    const { page, violations, axe } = await open("workbench", {
      colorScheme: "dark",
      viewport: { width: 360, height: 740 },
    });
    const lead = leadOf(page);
    await lead(/^\d+ of \d+ messages pass$/);
    await page.getByLabel("Topic filter").fill("meter/#");
    await page.waitForURL(/topic=meter/);
    // Copies that a loaded machine receives late count as messages of their own.
    await lead(/^(1[2-9]|[23]\d) of \1 messages pass$/);
    assert.ok(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "no sideways scrolling");
    assert.deepEqual(await axe(), []);
    await page.reload();
    await lead(/^(1[2-9]|[23]\d) of \1 messages pass$/);
    const count = async () => Number(/ of (\d+) /.exec((await page.locator(".lead").textContent())!)?.[1]);
    const before = await count();
    // The stream may not be open yet when the first message is published.
    await eventually(async () => {
      await plant.publish();
      return (await count()) > before;
    }, "a live message joins the list");
    await page.getByLabel("Topic filter").fill("nowhere/#");
    await page.getByText("No message on nowhere/# yet.").first().waitFor();
    assert.deepEqual(await axe(), []);
    assert.deepEqual(violations, []);
  });

  it("opens the form with its expressions", async () => {
    const { page, violations } = await open("workbench?topic=greenhouse/%23");
    await page.getByLabel("Filter", { exact: true }).fill("data.temperature > 20");
    await page.getByLabel("Transform").fill("data.temperature");
    await page.getByRole("button", { name: "Save as a new webhook" }).click();
    await page.waitForURL(/\/webhooks\/new$/);
    assert.equal(await page.getByLabel("Topic filters").inputValue(), "greenhouse/#");
    assert.equal(await page.getByLabel("Filter", { exact: true }).inputValue(), "data.temperature > 20");
    assert.equal(await page.getByLabel("Transform").inputValue(), "data.temperature");
    await page.reload();
    await page.getByLabel("Topic filters").waitFor();
    assert.equal(await page.getByLabel("Topic filters").inputValue(), "", "taken over once");
    assert.deepEqual(violations, []);
  });
});
