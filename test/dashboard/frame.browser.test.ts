/** The frame of the dashboard in a real browser: sessions, rights, addresses, themes, keys, and a bridge that dies. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Page } from "playwright-core";
import { API_KEY, startTestBridge, type TestBridge } from "../support/bridge.ts";
import { signIn, startBrowser, type TestBrowser } from "../support/browser.ts";
import { requireOrSkip } from "../support/requirements.ts";

/** The words of the navigation, top to bottom. */
const entries = (page: Page) => page.getByRole("navigation", { name: "Pages" }).locator("li").allInnerTexts();

describe("the dashboard in Chromium", requireOrSkip("chromium"), () => {
  let bridge: TestBridge;
  let browser: TestBrowser;
  before(async () => {
    bridge = await startTestBridge({ BASE_PATH: "/iot" });
    browser = await startBrowser(new URL(bridge.url).origin);
  });
  after(async () => {
    await browser?.close();
    await bridge?.kill();
  });

  const createKey = async (key: object): Promise<string> => {
    const { status, body } = await bridge.api("POST", "/iot/v1/keys", key);
    assert.equal(status, 201);
    return body.key;
  };

  it("signs in once, keeps the key nowhere, and signs out", async () => {
    const { page, context, violations, axe } = await browser.open();
    const seen: string[] = [];
    page.on("request", (request) => seen.push(request.url()));
    await page.goto(`${bridge.url}/iot/deliveries?status=failed`);
    await page.getByLabel("API key").waitFor();
    assert.deepEqual(await axe(), []);
    await page.getByLabel("API key").fill("no-such-key");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("the key is not valid").waitFor();
    assert.deepEqual(await axe(), []);
    await signIn(page, API_KEY);
    assert.equal(page.url(), `${bridge.url}/iot/deliveries?status=failed`, "the deep link survives");

    const [cookie] = await context.cookies();
    assert.deepEqual([cookie?.httpOnly, cookie?.sameSite, cookie?.path], [true, "Strict", "/iot"]);
    const kept = await page.evaluate(
      "document.documentElement.outerHTML + JSON.stringify(localStorage) + JSON.stringify(sessionStorage) + document.cookie",
    );
    assert.ok(!String(kept).includes(API_KEY));
    assert.ok(seen.every((url) => !url.includes(API_KEY)));

    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("API key").waitFor();
    assert.deepEqual(violations, []);
  });

  it("shows a key the pages that it may see", async () => {
    const key = await createKey({ name: "wall screen", scopes: ["view"], read: ["#"] });
    const { page, violations } = await browser.open();
    await page.goto(`${bridge.url}/iot/`);
    await signIn(page, key);
    const words = await entries(page);
    assert.ok(words.includes("Webhooks") && words.includes("Deliveries"));
    assert.ok(!words.includes("Keys") && !words.includes("Workbench"));
    assert.deepEqual(violations, []);
  });

  it("shows the page of signing in when its key is revoked", async () => {
    const { body } = await bridge.api("POST", "/iot/v1/keys", { name: "guest", scopes: ["view"], read: ["#"] });
    const { page } = await browser.open();
    await page.goto(`${bridge.url}/iot/webhooks`);
    await signIn(page, body.key);
    await bridge.api("DELETE", `/iot/v1/keys/${body.id}`);
    // The page reads the list again by itself.
    await page.getByLabel("API key").waitFor();
  });

  it("goes back and forth, loads again, and knows unknown addresses", async () => {
    const { page } = await browser.open();
    await page.goto(`${bridge.url}/iot/webhooks`);
    await signIn(page, API_KEY);
    await page.getByRole("heading", { level: 1, name: "Webhooks" }).waitFor();
    await page.getByRole("link", { name: "Keys", exact: true }).click();
    await page.getByRole("heading", { level: 1, name: "Keys" }).waitFor();
    await page.waitForURL(`${bridge.url}/iot/keys`);
    await page.goBack();
    await page.getByRole("heading", { level: 1, name: "Webhooks" }).waitFor();
    await page.reload();
    await page.getByRole("heading", { level: 1, name: "Webhooks" }).waitFor();
    await page.goto(`${bridge.url}/iot/webhooks/`);
    await page.getByRole("heading", { level: 1, name: "Webhooks" }).waitFor();
  });

  it("is used by keyboard alone", async () => {
    const { page } = await browser.open();
    await page.goto(`${bridge.url}/iot/`);
    await page.getByLabel("API key").focus();
    await page.keyboard.type(API_KEY);
    await page.keyboard.press("Enter");
    await page.getByRole("navigation", { name: "Pages" }).waitFor();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate("document.activeElement.id"), "main");
    await page.keyboard.press("g");
    await page.keyboard.press("k");
    await page.getByRole("heading", { level: 1, name: "Keys" }).waitFor();
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
  });

  it("keeps the chosen theme, and follows the system without one", async () => {
    const { page } = await browser.open({ colorScheme: "dark" });
    const background = () => page.evaluate("getComputedStyle(document.documentElement).backgroundColor");
    await page.goto(`${bridge.url}/iot/`);
    await signIn(page, API_KEY);
    assert.equal(await background(), "rgb(15, 18, 22)");
    await page.getByLabel("Theme").selectOption("light");
    assert.equal(await background(), "rgb(255, 255, 255)");
    await page.reload();
    await page.getByRole("navigation", { name: "Pages" }).waitFor();
    assert.equal(await background(), "rgb(255, 255, 255)");
  });

  it("comes back by itself after the bridge was killed", async () => {
    const { page, violations } = await browser.open();
    await page.goto(`${bridge.url}/iot/webhooks`);
    await signIn(page, API_KEY);
    await page.getByText("No webhooks yet.").first().waitFor();
    // The other pages are loaded while nothing else happens.
    await page.waitForFunction(() =>
      performance.getEntriesByType("resource").some(({ name }) => /keys-.*js$/.test(name)),
    );
    await bridge.kill();
    await page.getByText(/^As of .*, reconnecting\.$/).waitFor();
    await page.getByRole("link", { name: "Keys", exact: true }).click();
    await page.getByText("The bridge cannot be reached.").waitFor();
    await bridge.start();
    await page.getByText("The bridge cannot be reached.").waitFor({ state: "detached" });
    await page.getByRole("link", { name: "Webhooks", exact: true }).click();
    await page.getByText("No webhooks yet.").first().waitFor();
    await page.getByText(/^As of .*, reconnecting\.$/).waitFor({ state: "detached" });
    assert.deepEqual(violations, []);
  });
});
