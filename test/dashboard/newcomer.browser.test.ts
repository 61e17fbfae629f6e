/** The path of a person who opens the dashboard for the first time, from an empty folder to a repeated delivery. */
import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { API_KEY, startTestBridge, type TestBridge } from "../support/bridge.ts";
import { signIn, startBrowser, type TestBrowser } from "../support/browser.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { requireOrSkip } from "../support/requirements.ts";

let bridge: TestBridge;
let receiver: Receiver;
let browser: TestBrowser;
const needs = requireOrSkip("chromium");

before(async () => {
  if (needs.skip) return;
  bridge = await startTestBridge({ WEBHOOK_ALLOW_NETWORKS: undefined });
  receiver = await startReceiver();
  browser = await startBrowser(bridge.url);
});
after(async () => {
  await browser?.close();
  await bridge?.kill();
  await receiver?.close();
});

it("a newcomer creates a webhook, publishes, sees it arrive, makes it fail and repeats it", needs, async () => {
  const { page, violations } = await browser.open();
  await page.goto(bridge.url);
  await signIn(page, API_KEY);

  // An empty bridge says what to do.
  await page.getByRole("link", { name: "Webhooks", exact: true }).click();
  await page.getByRole("link", { name: "New webhook" }).first().click();
  await page.getByLabel("Topic filters").fill("demo/#");
  await page.getByLabel("URL", { exact: true }).fill(`${receiver.url}/hook`);
  // A single attempt, so that a failure is final at once.
  await page.getByText("Delivery", { exact: true }).click();
  await page.getByLabel("Retry after").fill("none");
  await page.getByRole("button", { name: "Create the webhook" }).click();
  await page.getByText(/^whsec_/).waitFor();
  await page.getByRole("link", { name: "Open the webhook" }).click();

  const publish = async (payload: string) => {
    await page.goto(`${bridge.url}/live?panel=publish`);
    await page.getByLabel("Topic", { exact: true }).fill("demo/hello");
    await page.getByLabel("Payload", { exact: true }).fill(payload);
    await page.getByRole("button", { name: "Publish", exact: true }).click();
  };
  await publish('{"temperature":21.50}');
  await receiver.untilCalled(1);
  assert.match(receiver.calls[0]!.body.toString(), /"data":\{"temperature":21\.50\}/);
  await page.getByRole("link", { name: "Deliveries", exact: true }).click();
  await page.getByRole("cell", { name: "Succeeded" }).waitFor();

  receiver.answer = () => ({ status: 500, body: "the database is full" });
  await publish('{"temperature":22.50}');
  await receiver.untilCalled(2);
  await page.goto(`${bridge.url}/deliveries?status=failed`);
  await page.getByRole("cell", { name: "Failed" }).waitFor();
  await page.getByRole("link", { name: "demo/hello" }).click();
  await page.getByRole("dialog").getByText("the database is full").waitFor();
  await page.keyboard.press("Escape");

  receiver.answer = () => 204;
  await page.goto(`${bridge.url}/webhooks`);
  await page.getByRole("row").nth(1).getByRole("link").first().click();
  await page.getByRole("button", { name: "Retry deliveries" }).click();
  await page.getByRole("button", { name: "Retry 1 delivery" }).click();
  await receiver.untilCalled(3);
  assert.equal(receiver.attempts[2]!.headers["webhook-id"], receiver.attempts[1]!.headers["webhook-id"]);
  assert.deepEqual(violations, []);
});
