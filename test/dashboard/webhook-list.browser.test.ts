/** The list of webhooks and the settings in a real browser. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Page } from "playwright-core";
import { API_KEY } from "../support/bridge.ts";
import { startBrowser, type TestBrowser } from "../support/browser.ts";
import { eventually } from "../support/eventually.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { type Plant, startPlant } from "./plant.ts";

/** More webhooks than fit on a page of 50. */
const FURTHER = 50;
const PHONE = { viewport: { width: 360, height: 740 } };

const table = (page: Page) => page.getByRole("region", { name: "Webhooks" });
const names = (page: Page) => table(page).locator("td.name a").allInnerTexts();
const isNarrow = (page: Page) => page.evaluate("document.documentElement.scrollWidth <= innerWidth");

describe("the list of webhooks and the settings", requireOrSkip("chromium"), () => {
  let plant: Plant;
  let browser: TestBrowser;
  before(async () => {
    plant = await startPlant();
    const { bridge, receiver } = plant;
    browser = await startBrowser(bridge.url);
    plant.run(500);
    for (let i = 0; i < FURTHER; i++) {
      const webhook = { name: `Room ${i}`, url: `${receiver.url}/rooms`, topics: [`rooms/${i}/#`, "halls/#"] };
      assert.equal((await bridge.api("POST", "/v1/webhooks", webhook)).status, 201);
    }
    await eventually(
      () => bridge.api("GET", "/v1/webhooks?state=failing"),
      ({ body }) => body.items.length === 2,
    );
    // The figures are stored every ten seconds.
    await eventually(
      () => bridge.api("GET", "/v1/metrics?range=24h&stepSeconds=3600"),
      ({ body }) => body.webhooks.length === 5,
    );
  });
  after(async () => {
    await browser?.close();
    await plant?.stop();
  });

  const open = (path: string, key = API_KEY, options = {}) => browser.openAs(key, path.slice(1), options);

  it("shows state, filters, the last 24 h and what waits, page by page", async () => {
    const { page, violations, axe } = await open("/webhooks");
    await page.getByText(`${FURTHER + 5} webhooks, 2 not healthy.`).waitFor();
    assert.equal(await table(page).locator("tbody tr").count(), 50);
    const analytics = table(page).getByRole("row").filter({ hasText: "Analytics" });
    await analytics.getByText("Failing").waitFor();
    await analytics.getByText("0 %", { exact: true }).waitFor();
    await analytics.getByRole("img", { name: /^[\d,]+ deliver(?:y|ies) in 24 h/ }).waitFor();
    const greenhouse = table(page).getByRole("row").filter({ hasText: "Greenhouse readings" });
    await greenhouse.getByText("100 %", { exact: true }).waitFor();
    await greenhouse.getByText(/^[\d.]+ m?s$/).waitFor();
    assert.deepEqual(await axe(), []);
    await page.getByRole("button", { name: "Load more" }).click();
    await table(page)
      .getByRole("link", { name: `Room ${FURTHER - 1}`, exact: true })
      .waitFor();
    assert.equal(await page.getByRole("button", { name: "Load more" }).count(), 0);
    assert.deepEqual(violations, []);
  });

  it("filters by name, state and topic, in the address, which a reload and Back keep", async () => {
    const { page, violations, axe } = await open("/webhooks", API_KEY, { colorScheme: "dark" });
    await table(page).waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("room 4");
    await page.waitForURL(/\?q=room\+4$/);
    await table(page).getByRole("link", { name: "Room 49", exact: true }).waitFor();
    assert.equal(await page.getByLabel("Name").inputValue(), "room 4", "the field keeps its text");
    assert.equal(await page.evaluate("document.activeElement.type"), "search", "the field keeps the focus");
    await page.reload();
    await table(page).getByRole("link", { name: "Room 49", exact: true }).waitFor();
    assert.deepEqual(await names(page), ["Room 4", ...Array.from({ length: 10 }, (_, i) => `Room 4${i}`)]);
    await page.getByLabel("Name").fill("");
    await page.getByLabel("Would get a message on the topic").fill("meter/main/telemetry");
    await page.waitForURL(/\?topic=meter%2Fmain%2Ftelemetry$/);
    await table(page).getByRole("link", { name: "Room 4", exact: true }).waitFor({ state: "detached" });
    await table(page).getByRole("link", { name: "Greenhouse readings" }).waitFor({ state: "detached" });
    await table(page).getByRole("link", { name: "Billing" }).waitFor();
    assert.deepEqual(await names(page), ["Analytics", "Archive", "Billing"]);
    await page.getByLabel("State").selectOption("paused");
    await page.waitForURL(/state=paused/);
    await table(page).getByRole("link", { name: "Analytics" }).waitFor({ state: "detached" });
    assert.deepEqual(await names(page), ["Billing"]);
    await page.getByLabel("Would get a message on the topic").fill("meter/#");
    await page
      .getByRole("alert")
      .getByText(/must not/)
      .waitFor();
    assert.deepEqual(await axe(), []);
    await page.getByLabel("Would get a message on the topic").fill("nothing/here");
    await page.getByText("No webhook matches these filters.").waitFor();
    assert.deepEqual(await axe(), []);
    await page.getByRole("button", { name: "Clear the filters" }).click();
    await table(page).getByRole("link", { name: "Analytics" }).waitFor();
    await page.waitForURL(`${plant.bridge.url}/webhooks`);
    await eventually(
      () => page.getByLabel("Would get a message on the topic").inputValue(),
      (text) => text === "",
    );
    assert.deepEqual(violations, []);
  });

  it("sorts the loaded rows, and is walked through by keyboard", async () => {
    const { page, violations } = await open("/webhooks?sort=waiting");
    await table(page).waitFor();
    const header = (name: string) => table(page).getByRole("columnheader", { name });
    assert.equal(await header("Waiting").getAttribute("aria-sort"), "descending");
    assert.equal((await names(page))[0], "Analytics");
    await page.getByText("50 loaded, sorted among themselves.").waitFor();
    await header("Name").getByRole("button").click();
    await page.waitForURL(/sort=name$/);
    assert.equal((await names(page))[0], "Analytics");
    await header("Name").getByRole("button").click();
    await page.waitForURL(/order=reverse/);
    assert.equal(await header("Name").getAttribute("aria-sort"), "descending");
    await page.evaluate("document.activeElement.blur()");
    await page.keyboard.press("j");
    const first = await page.evaluate("document.activeElement.textContent");
    assert.equal(first, (await names(page))[0]);
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/webhooks\/wh_/);
    await page.goBack();
    await page.waitForURL(/sort=name&order=reverse$/);
    assert.deepEqual(violations, []);
  });

  it("shows a key its own webhooks, without acts; one without the status gets the rows' own figures", async () => {
    const create = async (scopes: string[]) =>
      (await plant.bridge.api("POST", "/v1/keys", { name: scopes.join(), scopes, read: ["meter/#"] })).body.key;
    const view = await open("/webhooks", await create(["view"]), PHONE);
    await table(view.page).getByRole("link", { name: "Archive" }).waitFor();
    assert.deepEqual(await names(view.page), ["Archive", "Billing"]);
    await view.page.getByText("2 webhooks, 1 not healthy.").waitFor();
    assert.equal(await view.page.getByRole("link", { name: "New webhook" }).count(), 0);
    assert.ok(await isNarrow(view.page));
    assert.deepEqual(await view.axe(), []);
    const manage = await open("/webhooks", await create(["webhooks"]));
    await table(manage.page).getByRole("row").filter({ hasText: "Archive" }).getByText("0 %").waitFor();
    assert.equal(await manage.page.getByRole("columnheader", { name: "p99" }).count(), 0);
    await manage.page.getByRole("link", { name: "New webhook" }).waitFor();
    assert.deepEqual([...view.violations, ...manage.violations], []);
  });

  it("has the settings in effect without secrets, the checks, and this browser", async () => {
    for (const colorScheme of ["light", "dark"] as const) {
      const { page, violations, axe } = await open("/settings", API_KEY, { ...PHONE, colorScheme, load: true });
      await page.getByText(/^Causeway \d+\.\d+\.\d+ on Node\.js .+ It is ready\.$/).waitFor();
      await page.getByRole("region", { name: "Checks" }).getByText("bridge consumption").waitFor();
      await page.getByLabel("Search the variables").fill("api_key");
      const configuration = page.getByRole("region", { name: "Configuration", exact: true });
      await configuration.getByText("MQTT_URL").waitFor({ state: "detached" });
      assert.deepEqual(await configuration.locator("tbody td").allInnerTexts(), ["API_KEY", "set"]);
      assert.ok(!(await page.content()).includes(API_KEY));
      assert.ok(await isNarrow(page));
      assert.deepEqual(await axe(), []);
      const own = page.getByRole("region", { name: "This browser" });
      await own.getByRole("button", { name: "UTC" }).click();
      await own.getByText(/until .+ UTC$/).waitFor();
      await own.getByRole("button", { name: colorScheme === "light" ? "Dark" : "Light" }).click();
      const background = await page.evaluate("getComputedStyle(document.documentElement).backgroundColor");
      assert.equal(background, colorScheme === "light" ? "rgb(15, 18, 22)" : "rgb(255, 255, 255)");
      assert.deepEqual(await axe(), []);
      await own.getByRole("button", { name: "Sign out" }).click();
      await page.getByLabel("API key").waitFor();
      assert.deepEqual(violations, []);
    }
  });

  it("has settings for every key, with no more than it may know", async () => {
    const { body } = await plant.bridge.api("POST", "/v1/keys", {
      name: "sensor",
      scopes: ["publish"],
      publish: ["a/#"],
    });
    const { page, violations, axe } = await open("/settings", body.key);
    const own = page.getByRole("region", { name: "This browser" });
    await own.getByText("sensor").waitFor();
    await own.getByText("a/#").waitFor();
    assert.equal(await page.getByRole("region", { name: "Configuration" }).count(), 0);
    assert.equal(await page.getByRole("region", { name: "Broker" }).count(), 0);
    assert.deepEqual(await axe(), []);
    assert.deepEqual(violations, []);
  });
});
