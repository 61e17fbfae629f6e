/** The path of a newcomer by keyboard alone: after the first address there is no click, and no focus set by the test. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Page } from "playwright-core";
import { API_KEY, startTestBridge, type TestBridge } from "../support/bridge.ts";
import { startBrowser, type TestBrowser, type TestWindow } from "../support/browser.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { Keyboard } from "./keyboard.ts";

describe("the dashboard by keyboard alone", requireOrSkip("chromium"), () => {
  let bridge: TestBridge;
  let receiver: Receiver;
  let browser: TestBrowser;
  let window: TestWindow;
  let page: Page;
  let keyboard: Keyboard;
  before(async () => {
    bridge = await startTestBridge();
    receiver = await startReceiver();
    browser = await startBrowser(bridge.url);
    window = await browser.open();
    page = window.page;
    keyboard = new Keyboard(page);
    await page.goto(bridge.url);
  });
  after(async () => {
    await browser?.close();
    await bridge?.kill();
    await receiver?.close();
  });

  const button = (name: string) => page.getByRole("button", { name, exact: true });
  const link = (name: string) => page.getByRole("link", { name, exact: true });
  const heading = (name: string) => page.getByRole("heading", { level: 1, name }).waitFor();
  const openPage = async (name: string) => {
    await keyboard.activate(page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name, exact: true }));
    await heading(name);
  };
  const publish = async (payload: string) => {
    await openPage("Live");
    await keyboard.activate(link("Publish"));
    await keyboard.fill(page.getByLabel("Topic", { exact: true }), "demo/hello");
    await keyboard.fill(page.getByLabel("Payload", { exact: true }), payload);
    await keyboard.activate(button("Publish"));
  };

  it("signs in", async () => {
    await keyboard.fill(page.getByLabel("API key"), API_KEY);
    await keyboard.press("Enter");
    await page.getByRole("navigation", { name: "Pages" }).waitFor();
    await heading("Overview");
  });

  it("creates a webhook", async () => {
    await openPage("Webhooks");
    await keyboard.activate(link("New webhook").first());
    await heading("New webhook");
    await keyboard.fill(page.getByLabel("Topic filters"), "demo/#");
    await keyboard.fill(page.getByLabel("URL", { exact: true }), `${receiver.url}/hook`);
    await keyboard.activate(page.locator("summary").filter({ hasText: "Delivery" }));
    // A single attempt, so that a failure is final at once.
    await keyboard.fill(page.getByLabel("Retry after"), "none");
    await keyboard.activate(button("Create the webhook"));
    await page.getByText(/^whsec_/).waitFor();
    await keyboard.activate(link("Open the webhook"));
    await page.getByText("No delivery yet on demo/#").waitFor();
    await bridge.readiness(200);
  });

  it("publishes from the console, and opens the delivery", async () => {
    await publish('{"temperature":21.50}');
    await receiver.untilCalled(1);
    assert.match(receiver.calls[0]!.body.toString(), /"data":\{"temperature":21\.50\}/);
    await openPage("Deliveries");
    await page.getByRole("cell", { name: "Succeeded" }).waitFor();
    const panel = await keyboard.openDialog(link("demo/hello"), "Delivery to");
    await panel.getByText("HTTP 204").waitFor();
    await keyboard.press("Escape");
    await keyboard.assertFocus(link("demo/hello"), "after the panel");
  });

  it("retries a delivery that failed, and replays it", async () => {
    receiver.answer = () => ({ status: 500, body: "the database is full" });
    await publish('{"temperature":22.50}');
    await receiver.untilCalled(2);
    await openPage("Deliveries");
    await keyboard.activate(link("Dead letters"));
    await page.getByRole("cell", { name: "Failed" }).waitFor();
    const question = await keyboard.openDialog(button("Retry all 1"), "Retry all dead letters");
    await keyboard.press("Escape");
    await question.waitFor({ state: "detached" });
    const panel = await keyboard.openDialog(link("demo/hello"), "Delivery to");
    await panel.getByText("the database is full").waitFor();
    await keyboard.activate(panel.getByRole("button", { name: "Retry", exact: true }));
    await receiver.untilCalled(3);
    await keyboard.press("Escape");
    await panel.waitFor({ state: "detached" });

    receiver.answer = () => 204;
    await openPage("Webhooks");
    await keyboard.activate(page.getByRole("row").nth(1).getByRole("link").first());
    await keyboard.openDialog(button("Retry deliveries"), "Retry deliveries");
    await keyboard.activate(button("Retry 1 delivery"));
    await receiver.untilCalled(4);
    const [, second, ...others] = receiver.attempts.map(({ headers }) => headers["webhook-id"]);
    assert.deepEqual(others, [second, second], "the same message");
    await keyboard.assertFocus(button("Retry deliveries"), "after the replay began");
    await keyboard.activate(button("Dismiss"));
  });

  it("sees the consequence of deleting a webhook, and leaves it", async () => {
    const opener = button("Delete the webhook");
    const question = await keyboard.openDialog(opener, "Delete 127.0.0.1");
    await keyboard.activate(question.getByRole("button", { name: "Cancel" }));
    await question.waitFor({ state: "detached" });
    await keyboard.assertFocus(opener, "after Cancel");
  });

  it("creates a key, a portal link and revokes the key", async () => {
    await openPage("Keys");
    const opener = link("New key").first();
    const form = await keyboard.openDialog(opener, "New key");
    await keyboard.fill(form.getByLabel("Name"), "site-1");
    await keyboard.activate(form.getByRole("checkbox", { name: /^publish/ }), "Space");
    await keyboard.fill(form.getByLabel("May publish to"), "demo/#");
    await keyboard.fill(form.getByLabel("May read"), "demo/#");
    await keyboard.activate(button("Create the key"));
    const created = page.getByRole("dialog", { name: "Key site-1" });
    await created.getByText(/^cw_/).first().waitFor();
    await keyboard.walkRound(created);
    await keyboard.press("Escape");
    await created.waitFor({ state: "detached" });
    await keyboard.assertFocus(opener, "after the key was created");

    const portal = await keyboard.openDialog(button("Portal link for site-1"), "Portal link for site-1");
    await keyboard.tabTo(portal.getByLabel("Valid for"));
    await keyboard.press("ArrowUp");
    await keyboard.activate(button("Create the link"));
    await portal.locator("pre").waitFor();
    await keyboard.walkRound(portal);
    await keyboard.press("Escape");
    await portal.waitFor({ state: "detached" });
    await keyboard.assertFocus(button("Portal link for site-1"), "after the link was made");

    const question = await keyboard.openDialog(button("Revoke site-1"), "Revoke site-1");
    await keyboard.fill(question.getByLabel("Type site-1 to confirm"), "site-1");
    await keyboard.press("Enter");
    await question.waitFor({ state: "detached" });
    await page.getByText("No key beside the first one.").waitFor();
    // The row of the button is gone.
    await page.locator("main:focus").waitFor();
  });

  it("lists the keys, and signs out", async () => {
    await keyboard.press("?");
    const help = page.getByRole("dialog", { name: "Keys" });
    await keyboard.walkRound(help);
    await keyboard.press("Escape");
    await help.waitFor({ state: "detached" });
    await keyboard.tabTo(button("Sign out"), "Shift+Tab");
    await keyboard.press("Enter");
    await page.getByLabel("API key").waitFor();
    assert.deepEqual(window.violations, []);
  });
});
