/** The page of a webhook in Chromium: what it says, its acts, and what a read-only key sees. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Webhook } from "causeway-mqtt/client";
import type { Page } from "playwright-core";
import { API_KEY } from "../support/bridge.ts";
import { goTo, startBrowser, type TestBrowser } from "../support/browser.ts";
import { eventually } from "../support/eventually.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { type Plant, startPlant } from "./plant.ts";

type DeliveryCounts = Webhook["counts"];

const lead = (page: Page, text: RegExp) => page.locator(".lead", { hasText: text }).waitFor();

describe("the page of a webhook", requireOrSkip("chromium"), () => {
  let plant: Plant;
  let browser: TestBrowser;
  before(async () => {
    plant = await startPlant();
    browser = await startBrowser(plant.bridge.url);
    // Few enough that the breaker of Archive stays closed, and that of Analytics opens.
    for (let n = 0; n < 4; n++) await plant.publish();
    await settled("Archive", ({ failed }) => failed === 4);
    await settled("Greenhouse readings", ({ succeeded }) => succeeded === 8);
  });
  after(async () => {
    await browser?.close();
    await plant?.stop();
  });

  const countsOf = async (name: string) =>
    (await plant.bridge.api("GET", `/v1/webhooks/${plant.webhooks[name]}`)).body.counts as DeliveryCounts;
  const settled = (name: string, wanted: (counts: DeliveryCounts) => boolean) =>
    eventually(() => countsOf(name), wanted);
  const open = (name: string, options = {}, key = API_KEY) =>
    browser.openAs(key, `webhooks/${plant.webhooks[name] ?? name}`, options);

  it("says that a webhook fails, why, and shows its deliveries", async () => {
    const { page, violations, axe } = await open("Analytics");
    await lead(page, /^Failing since .*\d\d:\d\d:\d\d \(HTTP 503\)\. Next try .*\. \d+ deliveries wait\.$/);
    await page.getByRole("heading", { level: 1, name: "Analytics" }).waitFor();
    const table = page.getByRole("region", { name: "Table of recent deliveries" });
    assert.match((await table.getByRole("link").first().getAttribute("href"))!, /\/messages\/msg_/);
    const all = page.getByRole("link", { name: "All deliveries of this webhook" });
    assert.match((await all.getAttribute("href"))!, new RegExp(`/deliveries\\?webhookId=${plant.webhooks.Analytics}$`));
    // The instance stores its figures every ten seconds.
    await page.getByRole("heading", { name: "Deliveries by outcome" }).waitFor();
    assert.deepEqual(await axe(), []);
    await page.getByRole("button", { name: "24 h" }).click();
    await page.waitForURL(/range=24h/);
    await page.reload();
    await page.locator('button[aria-pressed="true"]', { hasText: "24 h" }).waitFor();
    await page.getByRole("heading", { name: "Deliveries by outcome" }).waitFor();
    await page.getByRole("button", { name: "Show as table" }).first().click();
    await page.getByRole("columnheader", { name: "Succeeded" }).waitFor();
    assert.deepEqual(await axe(), []);
    assert.deepEqual(violations, []);
  });

  it("pauses and resumes", async () => {
    const { page, violations, axe } = await open("Pump alarms", { colorScheme: "dark" });
    await page.getByRole("button", { name: "Pause" }).click();
    await lead(page, /^Paused\. Nothing waits\.$/);
    assert.deepEqual(await axe(), []);
    await page.getByRole("button", { name: "Resume" }).click();
    await lead(page, /^Delivering\./);
    assert.deepEqual(violations, []);
  });

  it("sends a test event and leads to its delivery", async () => {
    const { page, violations, axe } = await open("Pump alarms");
    await page.getByRole("button", { name: "Send a test event" }).click();
    const dialog = page.getByRole("dialog", { name: "Send a test event" });
    await dialog.getByText("Filter and transform do not apply").waitFor();
    await dialog.getByRole("button", { name: "Send the event" }).click();
    const link = dialog.getByRole("link", { name: "See its delivery" });
    await link.waitFor();
    assert.deepEqual(await axe(), []);
    await link.click();
    await page.waitForURL(/\/messages\/msg_/);
    assert.deepEqual(violations, []);
  });

  it("rotates the secret and shows it once", async () => {
    const { page, violations, axe } = await open("Pump alarms", { colorScheme: "dark" });
    await page.getByRole("button", { name: "Rotate the secret" }).click();
    const dialog = page.getByRole("dialog", { name: "Rotate the secret" });
    await dialog.getByLabel("Grace period").selectOption("3600");
    await dialog.getByRole("button", { name: "Rotate the secret" }).click();
    assert.match((await dialog.getByTestId("secret").textContent())!, /^whsec_/);
    await dialog.getByText("both signatures for 1 hour").waitFor();
    assert.deepEqual(await axe(), []);
    await page.keyboard.press("Escape");
    await page.getByText("Calls are signed with the old secret too").waitFor();
    await page.getByTestId("secret").waitFor({ state: "detached" });
    assert.doesNotMatch(await page.content(), /whsec_/);
    assert.deepEqual(violations, []);
  });

  it("retries failed deliveries after it has counted them", async () => {
    plant.receiver.answer = () => 204;
    const { page, violations, axe } = await open("Archive");
    await page.getByRole("button", { name: "Retry deliveries" }).waitFor();
    await page.keyboard.press("r");
    const dialog = page.getByRole("dialog", { name: "Retry deliveries" });
    // Calls that were under way may still fail.
    const retry = dialog.getByRole("button", { name: /^Retry \d+ deliver(?:y|ies)$/ });
    await retry.waitFor();
    assert.deepEqual(await axe(), []);
    await dialog.getByLabel("Messages").selectOption("custom");
    await dialog.getByLabel("Until").fill("2020-01-01T00:00");
    await dialog.getByRole("button", { name: "Nothing to retry" }).waitFor();
    await dialog.getByLabel("Messages").selectOption("86400000");
    await retry.click();
    await page.waitForURL(/replay=rpl_/);
    const replay = page.getByRole("region", { name: "Replay" });
    await replay.getByText(/^Queued \d+ deliver(?:y|ies) again\.$/).waitFor();
    assert.deepEqual(await axe(), []);
    await settled("Archive", (counts) => counts.failed === 0);
    await lead(page, /None of the deliveries that are kept failed/);
    await replay.getByRole("button", { name: "Dismiss" }).click();
    await replay.waitFor({ state: "detached" });
    assert.deepEqual(violations, []);
  });

  it("deletes after its name is typed, and says what is dropped", async () => {
    await plant.publish();
    const { pending } = await countsOf("Billing");
    const { page, violations, axe } = await open("Billing", { viewport: { width: 360, height: 740 } });
    await page.getByRole("heading", { name: "Settings" }).last().waitFor();
    await page.getByText("Deliveries were queued, but none was attempted in the last 1 h.").waitFor();
    assert.ok(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "no sideways scrolling");
    await page.getByRole("button", { name: "Delete the webhook" }).click();
    const dialog = page.getByRole("dialog", { name: "Delete Billing" });
    await dialog.getByText(`Deletes the webhook and drops ${pending} waiting deliveries.`).waitFor();
    const confirm = dialog.getByRole("button", { name: "Delete the webhook" });
    assert.equal(await confirm.isDisabled(), true);
    assert.deepEqual(await axe(), []);
    await dialog.getByLabel("Type Billing to confirm").fill("Billing");
    await confirm.click();
    await page.waitForURL(/\/webhooks$/);
    assert.equal((await plant.bridge.api("GET", `/v1/webhooks/${plant.webhooks.Billing}`)).status, 404);
    assert.deepEqual(violations, []);
  });

  it("says that the receiver has not agreed, and delivers without its consent", async () => {
    const { body } = await plant.bridge.api("POST", "/v1/webhooks", {
      name: "Unasked",
      url: `${plant.receiver.url}/unasked`,
      topics: ["unasked/#"],
      verify: true,
    });
    const { page, violations, axe } = await open(body.id);
    await lead(page, /^Waits for the consent of its receiver\.$/);
    assert.deepEqual(await axe(), []);
    await page.getByRole("button", { name: "Ask again" }).click();
    await page.getByText("The receiver has not agreed.", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Deliver without consent" }).click();
    await lead(page, /^Delivering\. No message has matched yet\.$/);
    await page.getByText("No delivery yet on unasked/#").waitFor();
    assert.deepEqual(await axe(), []);
    assert.deepEqual(violations, []);
  });

  it("shows a read-only key everything and no act", async () => {
    const key = await plant.bridge.api("POST", "/v1/keys", { name: "wall", scopes: ["view"], read: ["#"] });
    const { page, violations, axe } = await open("Analytics", {}, key.body.key);
    await page.getByRole("region", { name: "Table of recent deliveries" }).waitFor();
    for (const name of ["Edit", "Workbench", "Change the settings"]) {
      assert.equal(await page.getByRole("main").getByRole("link", { name, exact: true }).count(), 0, name);
    }
    for (const name of ["Pause", "Send a test event", "Retry deliveries", "Rotate the secret", "Delete the webhook"]) {
      assert.equal(await page.getByRole("button", { name }).count(), 0, name);
    }
    assert.deepEqual(await axe(), []);
    for (const address of [`webhooks/${plant.webhooks.Analytics}/edit`, "webhooks/new", "workbench"]) {
      await goTo(page, `/${address}`);
      await page.getByText("This key may not do that.").waitFor();
    }
    assert.deepEqual(await axe(), []);
    assert.deepEqual(violations, []);
  });

  it("says that a webhook does not exist", async () => {
    const { page, axe } = await open("wh_none");
    await page.getByRole("alert").getByText("The webhook could not be read").waitFor();
    assert.deepEqual(await axe(), []);
  });
});
