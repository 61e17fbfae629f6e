/** Signing in that is refused, a session that ends, an unknown address and a test event: no violation of axe-core. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { API_KEY } from "../support/bridge.ts";
import { signIn, startBrowser, type TestBrowser } from "../support/browser.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { look, TWO_LOOKS } from "./axe-walk.ts";
import { problemOf, REFUSALS } from "./call-faults.ts";
import { type Plant, startPlant } from "./plant.ts";

describe("sessions and their ends", requireOrSkip("chromium"), () => {
  let plant: Plant;
  let browser: TestBrowser;
  before(async () => {
    plant = await startPlant();
    browser = await startBrowser(plant.bridge.url);
  });
  after(async () => {
    await browser?.close();
    await plant?.stop();
  });

  const open = async (address: string) => {
    const window = await browser.open();
    await window.page.goto(`${plant.bridge.url}/${address}`);
    return window;
  };

  it("a wrong key, and too many tries", async () => {
    const window = await open("");
    const { page, violations } = window;
    const attempt = async () => {
      await page.getByLabel("API key").fill("0123456789012345678901234567890123456789");
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("alert").filter({ hasText: "Not signed in" }).waitFor();
    };
    await attempt();
    const found = await look(window, "a wrong key", TWO_LOOKS);
    await page.route(/\/v1\/session$/, (route) => route.fulfill(problemOf(REFUSALS.rate)));
    await attempt();
    await page.getByText(`code ${REFUSALS.rate.code}`).waitFor();
    found.push(...(await look(window, "too many tries", TWO_LOOKS)));
    assert.deepEqual([...found, ...violations], []);
  });

  it("a session that ends in the middle of work keeps the address", async () => {
    const window = await open("webhooks");
    const { page, context, violations } = window;
    await signIn(page, API_KEY);
    await page.getByRole("link", { name: "Analytics" }).first().waitFor();
    await context.clearCookies();
    // The page reads again by itself.
    await page.getByLabel("API key").waitFor();
    const found = await look(window, "an ended session", TWO_LOOKS);
    await signIn(page, API_KEY);
    await page.getByRole("heading", { level: 1, name: "Webhooks" }).waitFor();
    assert.deepEqual([...found, ...violations], []);
  });

  it("an unknown address", async () => {
    const window = await browser.openAs(API_KEY, "webhooks/a/b");
    const { page, violations } = window;
    await page.getByRole("heading", { level: 1, name: "Not found" }).waitFor();
    assert.deepEqual([...(await look(window, "an unknown address", TWO_LOOKS)), ...violations], []);
  });

  it("a test event, and its refusal", async () => {
    const window = await browser.openAs(API_KEY, `webhooks/${plant.webhooks["Greenhouse readings"]}`);
    const { page, violations } = window;
    await page.getByRole("button", { name: "Send a test event" }).click();
    const dialog = page.getByRole("dialog", { name: "Send a test event" });
    await dialog.waitFor();
    const found = await look(window, "a test event", TWO_LOOKS);
    await page.route(/\/test$/, (route) => route.fulfill(problemOf(REFUSALS.fault)));
    await dialog.getByRole("button", { name: "Send the event" }).click();
    await dialog.getByText("No event was sent").waitFor();
    found.push(...(await look(window, "a refused test event", TWO_LOOKS)));
    await page.unroute(/\/test$/);
    await dialog.getByRole("button", { name: "Send the event" }).click();
    await dialog.getByText("The event is queued.").waitFor();
    found.push(...(await look(window, "a queued test event", TWO_LOOKS)));
    assert.deepEqual([...found, ...violations], []);
  });
});
