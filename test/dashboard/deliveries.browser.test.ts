/** Deliveries and messages in a real browser: filters, panel, payloads, retries, and the way of one message. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { connectAsync, type MqttClient } from "mqtt";
import type { Page } from "playwright-core";
import { API_KEY } from "../support/bridge.ts";
import { goTo, startBrowser, type TestBrowser } from "../support/browser.ts";
import { eventually } from "../support/eventually.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { type Plant, startPlant } from "./plant.ts";

const PHONE = { width: 360, height: 740 };

describe("deliveries and messages in Chromium", requireOrSkip("chromium"), () => {
  let plant: Plant;
  let browser: TestBrowser;
  let device: MqttClient;
  before(async () => {
    plant = await startPlant();
    browser = await startBrowser(plant.bridge.url);
    device = await connectAsync(`mqtt://127.0.0.1:${plant.bridge.brokerPort}`);
    await plant.publish();
    await plant.publish();
    await deadLetters(2);
  });
  after(async () => {
    await browser?.close();
    await device?.endAsync(true);
    await plant?.stop();
  });

  /** Resolves when the webhook "Archive", which is refused, has this many dead letters. */
  function deadLetters(count: number) {
    return eventually(
      () => plant.bridge.api("GET", `/v1/webhooks/${plant.webhooks.Archive}/deliveries?status=failed`),
      ({ body }) => body.items.length === count,
    );
  }

  const open = (path: string, options = {}, key = API_KEY) => browser.openAs(key, path, options);

  const rows = (page: Page) => page.getByRole("region", { name: "Deliveries", exact: true }).locator("tbody tr");

  it("filters by status, webhook, topic and time, all in the address", async () => {
    const { page, violations, axe } = await open("deliveries");
    await page.getByText("2 failed in the last 24 h.").waitFor();
    assert.deepEqual(await axe(), []);
    await page.getByRole("link", { name: "Dead letters" }).click();
    await page.getByRole("button", { name: "Retry all 2" }).waitFor();
    assert.equal(await rows(page).count(), 2);
    assert.match((await rows(page).first().textContent()) ?? "", /Failed\s*meter\/main\/telemetry\s*Archive.*HTTP 400/);
    await page.getByLabel("Webhook").selectOption("Analytics");
    await page.getByText("No delivery matches the filters").waitFor();
    assert.deepEqual(await axe(), []);
    await page.getByRole("link", { name: "All", exact: true }).click();
    await page.getByLabel("Topic filter").fill("a+/b");
    await page.getByText("+ stands for one whole level").waitFor();
    await page.getByLabel("Topic filter").fill("greenhouse/+/telemetry");
    await page.getByLabel("Topic filter").press("Enter");
    await eventually(
      () => rows(page).count(),
      (count) => count === 4,
    );
    await page.waitForURL(({ searchParams }) => searchParams.get("topic") === "greenhouse/+/telemetry");
    await page.reload();
    assert.equal(await page.getByLabel("Topic filter").inputValue(), "greenhouse/+/telemetry");
    await page.getByRole("button", { name: "Custom" }).click();
    await page.getByLabel("From").fill("2001-01-01T00:00");
    await page.getByLabel("Before").fill("2001-01-02T00:00");
    await page.getByText("No delivery matches the filters in the chosen time.").waitFor();
    await page.getByRole("link", { name: "Look at the last 7 d" }).click();
    await eventually(
      () => rows(page).count(),
      (count) => count === 4,
    );
    assert.deepEqual(violations, []);
  });

  it("shows a delivery in a panel by keyboard, copies it as curl, and retries it", async () => {
    const { page, context, violations, axe } = await open("deliveries?status=failed", { colorScheme: "dark" });
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await rows(page).first().waitFor();
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    const panel = page.getByRole("dialog", { name: "Delivery to Archive" });
    await panel.getByText("unknown field").first().waitFor();
    await page.waitForURL(/open=wh_[^.]+\.msg_/);
    await page.getByText("Not refreshed by itself.").waitFor();
    const pause = page.getByRole("button", { name: "Pause", includeHidden: true });
    assert.equal(await pause.count(), 0, "nothing to pause");
    assert.deepEqual(await axe(), []);
    await panel.getByRole("button", { name: "Copy as curl" }).click();
    const curl = String(await page.evaluate("navigator.clipboard.readText()"));
    assert.match(
      curl,
      /^# The bridge keeps no request bodies[^\n]*\ncurl -X POST 'http:\/\/127\.0\.0\.1:\d+\/archive'/,
    );
    assert.match(curl, /-H 'webhook-signature: '"\$WEBHOOK_SIGNATURE"/);
    const before = plant.receiver.attempts.filter(({ path }) => path === "/archive").length;
    await page.keyboard.press("r");
    await page.getByText("The delivery is queued again.").waitFor();
    await eventually(
      () => plant.receiver.attempts.filter(({ path }) => path === "/archive").length,
      (attempts) => attempts > before,
    );
    await page.keyboard.press("Escape");
    await panel.waitFor({ state: "detached" });
    await page.waitForURL((url) => url.search === "?status=failed");
    await page.goBack();
    await panel.waitFor();
    await deadLetters(2);
    assert.deepEqual(violations, []);
  });

  it("follows a message to each webhook, with its bytes as they were sent", async () => {
    const raw = '{"value":21.50,"big":12345678901234567890}';
    const properties = { userProperties: { traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" } };
    await device.publishAsync("greenhouse/raw/telemetry", raw, { qos: 1, properties });
    const { body } = await eventually(
      () => plant.bridge.api("GET", "/v1/deliveries?topic=greenhouse/raw/telemetry"),
      ({ body }) => body.items.length === 2 && body.items.some((one: { attempts: number }) => one.attempts > 0),
    );
    const { messageId } = body.items[0];
    const { page, violations, axeInBothThemes: axe } = await open("deliveries");
    await page.getByLabel("Find by id").waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type(messageId);
    await page.keyboard.press("Enter");
    await page.getByText(/^Received .*\d:\d.*, /).waitFor();
    await page.getByRole("region", { name: "Deliveries of the message" }).getByText("Greenhouse readings").waitFor();
    assert.equal(
      await page
        .locator(".payload-body")
        .textContent()
        .then((text) => text?.replaceAll("▾", "")),
      raw,
    );
    await page.locator(".steps summary").first().click();
    await page.getByText("attempt 1").first().waitFor();
    assert.deepEqual(await axe(), []);
    await page.getByRole("button", { name: "Hex" }).click();
    await page.getByText("00000000  7b 22 76").waitFor();
    assert.deepEqual(violations, []);
    await goTo(page, "/messages/msg_none");
    await page.getByText("There is nothing with this id.").waitFor();
    await page.getByText("14 days").waitFor();
    assert.deepEqual(await axe(), []);
  });

  it("shows binary payloads as hex first, and large ones quickly", async () => {
    const large = JSON.stringify(Array.from({ length: 12_000 }, (_, i) => ({ i, t: "x" })));
    assert.ok(large.length > 200_000);
    await device.publishAsync("raw/binary", Buffer.from([0xff, 0, 1]), { qos: 1 });
    await device.publishAsync("raw/large", large, { qos: 1 });
    const { body } = await eventually(
      () => plant.bridge.api("GET", "/v1/deliveries?topic=raw/%2B"),
      ({ body }) => new Set(body.items.map((one: { topic: string }) => one.topic)).size === 2,
    );
    const idOf = (topic: string) => body.items.find((one: { topic: string }) => one.topic === topic).messageId;
    const { page, violations, axe } = await open(`messages/${idOf("raw/binary")}`);
    await page.getByText("3 B, not text").waitFor();
    await page.getByText("ff 00 01").waitFor();
    await goTo(page, `/messages/${idOf("raw/large")}`);
    await page.getByText("400 of 48,002 lines").waitFor();
    await page.getByRole("button", { name: "Hide 12,000 entries" }).click();
    assert.deepEqual(await axe(), []);
    await page.getByRole("button", { name: "Show 12,000 entries" }).click();
    assert.ok((await page.locator(".json-line").count()) < 500);
    await page.getByLabel("Search in the payload").fill('"i": 250');
    await page.getByText(/Line 1 of \d+/).waitFor();
    await page.locator(".json-line.current").waitFor();
    assert.ok((await page.locator(".json-line").count()) < 1_500);
    assert.deepEqual(violations, []);
  });

  it("follows a stored message and a request to a device", async () => {
    const later = { topic: "pump/1/set", payload: "on", sendAt: new Date(Date.now() + 3_600_000).toISOString() };
    const { body: stored } = await plant.bridge.api("POST", "/v1/messages", later);
    const { page, violations, axe } = await open(`messages/${stored.id}`);
    // With the day, where it is due tomorrow.
    await page.getByText(/^Scheduled for .*\d:\d/).waitFor();
    assert.deepEqual(await axe(), []);
    await page.getByRole("button", { name: "Cancel the message" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Cancel the message" }).click();
    await page.getByText("There is nothing with this id.").waitFor();

    await device.subscribeAsync("pump/1/ask", { qos: 1 });
    const asked = new Promise<string>((resolve) =>
      device.on("message", (_topic, payload) => resolve(JSON.parse(String(payload)).responseTopic)),
    );
    const request = {
      topic: "pump/1/ask",
      payload: { responseTopic: "pump/1/response" },
      responseTopic: "pump/1/response",
    };
    const { body } = await plant.bridge.api("POST", "/v1/requests", request, { prefer: "respond-async" });
    await goTo(page, `/messages/${body.id}`);
    await page.getByText(/^Asked .*\d:\d.*, waits for the response/).waitFor();
    await device.publishAsync(await asked, '{"level": 21.50}', { qos: 1 });
    await page.getByText(/the device responded/).waitFor();
    await page.getByText("21.50").waitFor();
    assert.deepEqual(await axe(), []);
    assert.deepEqual(violations, []);
  });

  it("fits a phone, and shows a key that only views no acts", async () => {
    const { body } = await plant.bridge.api("POST", "/v1/keys", { name: "wall", scopes: ["view"], read: ["#"] });
    const { page, violations, axe } = await open("deliveries?status=failed", { viewport: PHONE }, body.key);
    await rows(page).first().waitFor();
    const isWide = () => page.evaluate("document.documentElement.scrollWidth > innerWidth");
    assert.equal(await page.getByRole("button", { name: /^Retry/ }).count(), 0);
    assert.equal(await isWide(), false);
    assert.deepEqual(await axe(), []);
    await rows(page).first().getByRole("link").first().click();
    await page.getByText("unknown field").first().waitFor();
    assert.equal(await page.getByRole("button", { name: /^Retry/ }).count(), 0);
    assert.equal(await isWide(), false);
    const message = await page.getByRole("dialog").getByRole("link", { name: /^msg_/ }).getAttribute("href");
    await goTo(page, message!);
    await page.getByText(/^Received .*\d:\d/).waitFor();
    // Not while the page is still being laid out.
    await page.waitForFunction("document.documentElement.scrollWidth <= innerWidth");
    assert.deepEqual(await axe(), []);
    assert.deepEqual(violations, []);
  });

  it("retries all dead letters of each webhook, and one by one for a topic filter", async () => {
    // A success in between, or ten failed attempts in a row would make the bridge call the receiver less often.
    const { answer } = plant.receiver;
    plant.receiver.answer = () => 204;
    const delivered = plant.receiver.until((calls) => calls.some(({ path }) => path === "/archive"));
    await device.publishAsync("meter/main/once", "1", { qos: 1 });
    await delivered;
    plant.receiver.answer = answer;
    const { page, violations, axe } = await open("deliveries?status=failed");
    await page.getByRole("button", { name: "Retry all 2" }).click();
    const dialog = page.getByRole("dialog", { name: "Retry all dead letters" });
    await dialog.getByText("2 deliveries to 1 webhook will be queued again").waitFor();
    assert.deepEqual(await axe(), []);
    await dialog.getByRole("button", { name: "Retry 2 deliveries" }).click();
    await dialog.getByText("2 deliveries queued again.").waitFor();
    await dialog.getByRole("button", { name: "Close" }).click();
    await deadLetters(2);
    await goTo(page, "/deliveries?status=failed&topic=meter/%23");
    await page.getByRole("button", { name: "Retry all 2" }).click();
    await dialog.getByText("A replay does not know topic filters.").waitFor();
    await dialog.getByRole("button", { name: "Retry 2 deliveries" }).click();
    await dialog.getByText("2 deliveries of 2 queued again.").waitFor();
    assert.deepEqual(await axe(), []);
    assert.deepEqual(violations, []);
  });
});
