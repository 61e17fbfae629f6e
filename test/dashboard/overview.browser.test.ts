/** The overview in a real browser: the first line, attention and its acts, rates, chart, books, rights, and outages. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Page } from "playwright-core";
import { API_KEY, startTestBridge, type TestBridge } from "../support/bridge.ts";
import { startBrowser, type TestBrowser } from "../support/browser.ts";
import { eventually } from "../support/eventually.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { type Plant, startPlant } from "./plant.ts";

const attention = (page: Page) => page.getByRole("region", { name: "Needs attention" });
const isNarrow = (page: Page) => page.evaluate("document.documentElement.scrollWidth <= innerWidth");

describe("the overview of a busy bridge", requireOrSkip("chromium"), () => {
  let plant: Plant;
  let browser: TestBrowser;
  let answer: (request: { path: string }) => number;
  before(async () => {
    plant = await startPlant();
    const { bridge, receiver } = plant;
    browser = await startBrowser(bridge.url);
    answer = receiver.answer as (request: { path: string }) => number;
    receiver.answer = (request) => (request.path === "/gone" ? 410 : answer(request));
    await bridge.register({ name: "Gone", url: `${receiver.url}/gone`, topics: ["gone/#"] });
    await bridge.api("POST", "/v1/messages", { topic: "gone/x", payload: "1" });
    plant.run(250);
    await eventually(
      () => bridge.api("GET", "/v1/webhooks?state=failing"),
      ({ body }) => body.items.length === 2,
    );
    await eventually(
      () => bridge.api("GET", "/v1/webhooks?state=disabled"),
      ({ body }) => body.items.length === 1,
    );
  });
  after(async () => {
    await browser?.close();
    await plant?.stop();
  });

  it("says first which webhooks need attention, since when and why, with one act each", async () => {
    const { page, violations, axeInBothThemes } = await browser.openAs(API_KEY, "");
    await page.getByText("3 webhooks need attention.").waitFor();
    await page.getByText(/\d msg\/s in, .+ out\./).waitFor();
    const failing = attention(page).getByRole("listitem").filter({ hasText: "Analytics" });
    await failing.getByText(/^Since .*\d\d:\d\d:\d\d: HTTP 503, .*deliver(?:y waits|ies wait)\./).waitFor();
    await page.getByText("Both lines close").waitFor();
    await page.locator("canvas").waitFor();
    assert.deepEqual(await axeInBothThemes(), []);
    // Otherwise the delivery that was answered with 410 disables the webhook again.
    plant.receiver.answer = answer;
    await attention(page).getByRole("button", { name: "Resume Gone" }).click();
    await page.getByText("Gone is resumed").waitFor();
    await page.getByText("2 webhooks need attention.").waitFor();
    await failing.getByRole("link", { name: /^Show deliveries/ }).click();
    await page.waitForURL(/\/deliveries\?webhookId=wh_/);
    assert.deepEqual(violations, []);
  });

  it("keeps the range of the chart in the address, and shows its data as a table", async () => {
    const { page, violations, axe } = await browser.openAs(API_KEY, "");
    await page.locator("canvas").waitFor();
    // The bridge is younger than the range.
    await page.getByText(/The axis begins at .+: nothing happened earlier in this range/).waitFor();
    await page.getByRole("button", { name: "24 h" }).click();
    await page.getByRole("heading", { name: "Messages in, deliveries out and failed per 10 minutes" }).waitFor();
    await page.waitForURL(({ search }) => search === "?range=24h");
    await page.reload();
    await page.getByRole("heading", { name: /per 10 minutes/ }).waitFor();
    await page.getByRole("button", { name: "Show as table" }).click();
    await page.getByRole("columnheader", { name: "Failed" }).waitFor();
    assert.equal(
      await page
        .getByRole("region", { name: /per 10 minutes/ })
        .locator("tbody tr")
        .count(),
      6,
    );
    assert.deepEqual(await axe(), []);
    assert.deepEqual(violations, []);
  });

  it("fits a phone, where the last entries of the navigation are behind More", async () => {
    const viewport = { width: 360, height: 740 };
    const { page, violations, axe } = await browser.openAs(API_KEY, "", { viewport });
    await attention(page).waitFor();
    await page.locator("canvas").waitFor();
    assert.ok(await isNarrow(page));
    const nav = page.getByRole("navigation", { name: "Pages" });
    assert.equal(await nav.evaluate((bar) => bar.scrollWidth <= bar.clientWidth), true, "the bar does not scroll");
    await nav.getByRole("button", { name: "More" }).click();
    const dialog = page.getByRole("dialog", { name: "More pages" });
    await dialog.waitFor();
    assert.deepEqual(await dialog.getByRole("link").allInnerTexts(), ["Workbench", "Hooks", "Keys", "Settings"]);
    assert.deepEqual(await axe(), []);
    await dialog.getByRole("link", { name: "Settings" }).click();
    await page.getByRole("heading", { level: 1, name: "Settings" }).waitFor();
    await dialog.waitFor({ state: "detached" });
    assert.deepEqual(violations, []);
  });

  it("shows a key what it may see: no books and no acts, or the page that it begins with", async () => {
    const { bridge } = plant;
    const create = async (key: object) =>
      (await bridge.api("POST", "/v1/keys", { ...key, read: ["meter/#"] })).body.key;
    const view = await browser.openAs(await create({ name: "screen", scopes: ["view"] }), "");
    await view.page.getByText("1 webhook needs attention.").waitFor();
    await view.page.getByRole("region", { name: "Live figures" }).waitFor();
    assert.equal(await view.page.getByText("Both lines close").count(), 0);
    assert.equal(await attention(view.page).getByRole("button").count(), 0);
    assert.deepEqual(await view.axe(), []);
    const manage = await browser.openAs(await create({ name: "manager", scopes: ["webhooks"] }), "");
    await manage.page.getByText("1 webhook needs attention.").waitFor();
    const read = await browser.openAs(await create({ name: "reader", scopes: ["read"] }), "");
    await read.page.getByRole("heading", { level: 1, name: "Live" }).waitFor();
    for (const { violations } of [view, manage, read]) assert.deepEqual(violations, []);
  });
});

describe("the overview of a bridge without a broker", requireOrSkip("chromium"), () => {
  let bridge: TestBridge;
  let browser: TestBrowser;
  before(async () => {
    bridge = await startTestBridge({ MQTT_URL: "mqtt://127.0.0.1:1" });
    browser = await startBrowser(bridge.url);
  });
  after(async () => {
    await browser?.close();
    await bridge?.kill();
  });

  it("says so first, teaches the first webhook, and keeps the figures while the bridge is away", async () => {
    const { page, violations, axe } = await browser.openAs(API_KEY, "");
    await page.getByText("The broker is not connected. No webhooks yet.").waitFor();
    await page.getByText("No message in the last hour.").waitFor();
    assert.deepEqual(await axe(), []);
    const [create] = await page.getByRole("link", { name: "New webhook" }).all();
    assert.equal(await create!.getAttribute("href"), "/webhooks/new");
    await bridge.kill();
    await page
      .getByText(/^As of .*\d\d:\d\d:\d\d, reconnecting\.$/)
      .first()
      .waitFor();
    await page.getByText("Both lines close").waitFor();
    assert.deepEqual(await axe(), []);
    await bridge.start();
    await page
      .getByText(/reconnecting/)
      .first()
      .waitFor({ state: "detached" });
    assert.deepEqual(violations, []);
  });
});
