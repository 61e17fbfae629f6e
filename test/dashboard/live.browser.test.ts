/** The live page in a real browser: stream, tree, message, console and retained messages. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { connectAsync, type MqttClient } from "mqtt";
import type { Page } from "playwright-core";
import { API_KEY } from "../support/bridge.ts";
import { signIn, startBrowser, type TestBrowser, type TestWindow } from "../support/browser.ts";
import { startProxy } from "../support/proxy.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { type Plant, startPlant } from "./plant.ts";

const PHONE = { width: 360, height: 740 };

describe("the live page in Chromium", requireOrSkip("chromium"), () => {
  let plant: Plant;
  /** Between the browser and the bridge, to break connections. */
  let proxy: Awaited<ReturnType<typeof startProxy>>;
  let url: string;
  let browser: TestBrowser;
  let device: MqttClient;

  before(async () => {
    plant = await startPlant();
    proxy = await startProxy(Number(new URL(plant.bridge.url).port));
    url = `http://127.0.0.1:${proxy.port}`;
    browser = await startBrowser(url);
    device = await connectAsync(`mqtt://127.0.0.1:${plant.bridge.brokerPort}`);
    await device.subscribeAsync("pump/1/requests/+");
    device.on("message", (topic) => {
      device.publish(topic.replace("requests", "responses"), '{"pressure":3.50}');
    });
  });
  after(async () => {
    await browser?.close();
    await device?.endAsync(true);
    await proxy?.close();
    await plant?.stop();
  });

  async function open(path: string, options: Parameters<TestBrowser["open"]>[0] = {}, key = API_KEY) {
    const window = await browser.open(options);
    await window.page.goto(`${url}/${path}`);
    await signIn(window.page, key);
    return window;
  }

  /** Opens the page and waits until messages arrive. */
  async function openLive(path: string, options: Parameters<TestBrowser["open"]>[0] = {}): Promise<TestWindow> {
    const window = await open(path, options);
    await isLive(window.page);
    return window;
  }

  const isLive = (page: Page) => page.locator(".page-head .state.live").getByText("Live").waitFor();
  const send = (topic: string, payload: string | Buffer, options = {}) => device.publishAsync(topic, payload, options);
  const stream = (page: Page) => page.getByRole("region", { name: "Messages, newest first" });
  const tree = (page: Page) => page.getByRole("region", { name: "Topics" });
  const message = (page: Page) => page.locator(".detail");

  async function createKey(key: Record<string, unknown>): Promise<string> {
    const { body } = await plant.bridge.api("POST", "/v1/keys", key);
    return body.key as string;
  }

  it("shows messages as they arrive, with the tree of their topics", async () => {
    const { page, violations, axe } = await openLive("live?topics=greenhouse/%23");
    await page.getByText("No message yet on greenhouse/#.").waitFor();
    assert.deepEqual(await axe(), []);
    await plant.publish();
    await page.getByText("on greenhouse/#, showing all 2").waitFor();
    await tree(page).getByText('{"temperature":').first().waitFor();
    assert.match(await tree(page).innerText(), /greenhouse\s+2\s[\s\S]*north\s+1\s/);
    assert.deepEqual(await axe(), []);
    await tree(page).getByRole("link", { name: "north", exact: true }).click();
    await page.getByText("showing 1 message below greenhouse/north").waitFor();
    assert.equal(new URL(page.url()).searchParams.get("branch"), "greenhouse/north");
    await send("greenhouse/south/telemetry", "1");
    await send("greenhouse/north/telemetry", "2");
    await page.getByText("showing 2 messages below greenhouse/north").waitFor();
    await page.reload();
    await page.getByText("No message yet below greenhouse/north").waitFor();
    await page.goBack();
    await isLive(page);
    await page.getByLabel("Topic filters").fill("pump/#/x");
    await page.getByText("pump/#/x # must stand alone in the last level").waitFor();
    await page.getByLabel("Topic filters").fill("pump/#, meter/#");
    await page.getByLabel("Topic filters").press("Enter");
    await page.getByText("on pump/#, meter/#").first().waitFor();
    assert.deepEqual(new URL(page.url()).searchParams.getAll("topics"), ["pump/#", "meter/#"]);
    await isLive(page);
    await plant.publish();
    await page.getByText("showing all 2").waitFor();
    assert.deepEqual(violations, []);
  });

  it("counts what a pause skips, and starts anew when cleared", async () => {
    const { page, violations } = await openLive("live?topics=a");
    await send("a", "1");
    await page.getByText("showing all 1").waitFor();
    await page.getByRole("button", { name: "Pause" }).click();
    for (const payload of ["2", "3"]) await send("a", payload);
    await page.getByText("Paused, 2 messages skipped").waitFor();
    assert.equal(await stream(page).locator("tbody button").count(), 1);
    await page.getByRole("button", { name: "Start" }).click();
    await send("a", "4");
    await page.getByText("showing 2 messages").waitFor();
    await page.getByRole("button", { name: "Clear" }).click();
    await page.getByText("No message yet on a").waitFor();
    assert.deepEqual(violations, []);
  });

  it("shows a message with its bytes, its changes and its history, by keyboard", async () => {
    const { page, violations, axe } = await openLive("live?topics=greenhouse/%23", { colorScheme: "dark" });
    const topic = "greenhouse/north/telemetry";
    await send(topic, '{"celsius":21.50,"on":true}');
    await send(topic, '{"celsius":21.5,"on":true,"seq":12345678901234567890}');
    await page.getByText("showing all 2").waitFor();
    await page.locator("h1").click();
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await message(page).getByText("12345678901234567890").first().waitFor();
    const changes = await message(page).getByRole("region", { name: "Changes" }).innerText();
    assert.match(changes, /celsius\s+21\.50\s+21\.5\s+seq\s+absent\s+12345678901234567890/);
    await message(page).getByText("Properties").click();
    await message(page).getByText("application/json").waitFor();
    await message(page).getByRole("img", { name: "celsius: 2 values between 21.5 and 21.5" }).waitFor();
    await message(page).getByLabel("Number").selectOption("seq");
    for (const [name, path] of [
      ["Deliveries of this topic", `/deliveries?topic=${encodeURIComponent(topic)}`],
      ["Create webhook for this topic", `/webhooks/new?topics=${encodeURIComponent(topic)}`],
      ["Open in workbench", `/workbench?topic=${encodeURIComponent(topic)}`],
    ]) {
      assert.equal(await message(page).getByRole("link", { name: name! }).getAttribute("href"), path);
    }
    assert.deepEqual(await axe(), []);
    // The reader is inside the list, so that it stands still.
    await send(topic, '{"celsius":22}');
    await page.getByRole("button", { name: "Show 1 newer message" }).click();
    await stream(page).getByText('{"celsius":22}').waitFor();
    await message(page)
      .getByRole("region", { name: "Last messages of the topic" })
      .getByText('{"celsius":22}')
      .waitFor();
    await send(topic, Buffer.from([0, 255, 16]));
    await stream(page).getByText("binary AP8Q").waitFor();
    await stream(page).getByRole("button").first().click();
    await message(page).getByText("00 ff 10").waitFor();
    assert.deepEqual(await axe(), []);
    await message(page).getByRole("link", { name: "Follow this message" }).click();
    await page.waitForURL(/\/messages\/msg_/);
    assert.deepEqual(violations, []);
  });

  it("says that the connection was lost, how long, and goes on", async () => {
    const { page, violations } = await openLive("live?topics=a");
    await send("a", "1");
    await page.getByText("showing all 1").waitFor();
    proxy.cut();
    await page.getByText(/The connection was away for .* Messages in between are not shown\./).waitFor();
    await isLive(page);
    await send("a", "2");
    await page.getByText("showing all 2").waitFor();
    await page.getByRole("button", { name: "Hide" }).click();
    await page.getByText("The connection was away").waitFor({ state: "detached" });
    assert.deepEqual(violations, []);
  });

  it("publishes now and later, and says what became of it", async () => {
    const { page, violations, axe } = await openLive("live?topics=demo/%23");
    await page.getByRole("link", { name: "Publish one" }).click();
    assert.equal(await page.getByLabel("Topic", { exact: true }).inputValue(), "demo/hello");
    await page.getByLabel("Payload", { exact: true }).fill('{"led":1.50');
    await page.getByText("is not JSON: send it as text, or mend it").waitFor();
    assert.deepEqual(await axe(), []);
    await page.getByLabel("Payload", { exact: true }).fill('{"led":1.50}');
    await page.getByText("MQTT 5 properties").click();
    await page.getByLabel("User properties").fill("part=1\npart=2");
    await page.getByRole("button", { name: "Publish", exact: true }).click();
    await page.getByRole("status").getByText("The broker has the message.").waitFor();
    await stream(page).getByText('{"led":1.50}').waitFor();
    assert.deepEqual(await axe(), []);
    await page.getByRole("button", { name: "At a time" }).click();
    await page.getByLabel("Publish at (your time)").fill("2001-01-01T00:00:00");
    await page.getByRole("button", { name: "Hex" }).click();
    await page.getByLabel("Payload", { exact: true }).fill("00 ff");
    await page.getByRole("button", { name: "Store the message" }).click();
    const link = page.getByRole("status").getByRole("link", { name: "Follow the message" });
    assert.match((await link.getAttribute("href"))!, /^\/messages\/msg_/);
    await stream(page).getByText("binary AP8=").waitFor();
    assert.equal(await page.getByRole("button", { name: "Fill in again" }).count(), 2);
    await page.getByRole("button", { name: "Fill in again" }).last().click();
    assert.equal(await page.getByLabel("Payload", { exact: true }).inputValue(), '{"led":1.50}');
    assert.deepEqual(violations, []);
  });

  it("asks a device, which responds, is silent, or is offline", async () => {
    const { page, violations, axe } = await open("live?panel=ask&to=pump/1/requests/{requestId}");
    await page.getByLabel("Payload", { exact: true }).fill('{"read":"pressure"}');
    await page.getByLabel("Response topic").fill("pump/1/responses/{requestId}");
    await page.getByRole("button", { name: "Ask the device" }).click();
    const response = page.getByRole("region", { name: "Response" });
    await response.getByText(/The device responded after/).waitFor();
    await response.getByText("3.50").waitFor();
    assert.deepEqual(await axe(), []);
    await page.getByLabel("Topic", { exact: true }).fill("pump/2/requests/{requestId}");
    await page.getByLabel("Wait at most (seconds)").fill("0");
    await page.getByText("must be 0.1 to 60 seconds").waitFor();
    await page.getByLabel("Wait at most (seconds)").fill("0.2");
    await page.getByRole("button", { name: "Ask the device" }).click();
    await page.getByText("The device did not respond").first().waitFor();
    await page.getByRole("button", { name: "The device may be offline" }).click();
    await page.getByRole("button", { name: "Store the request" }).click();
    const link = page.getByRole("status").getByRole("link", { name: "Follow the request" });
    assert.match((await link.getAttribute("href"))!, /^\/messages\/req_/);
    assert.deepEqual(await axe(), []);
    assert.deepEqual(violations, []);
  });

  it("lists, edits and clears retained messages", async () => {
    await send("shop/config", '{"interval":30.0}', { retain: true, qos: 1 });
    const { page, violations, axe } = await openLive("live?topics=shop/%23");
    await page.getByRole("link", { name: "Retained messages" }).click();
    await page.getByText("1 retained message under shop/#").waitFor();
    assert.deepEqual(await axe(), []);
    await page.getByRole("button", { name: "shop/config" }).click();
    const dialog = page.getByRole("dialog", { name: "shop/config" });
    await dialog.getByText("30.0").waitFor();
    assert.deepEqual(await axe(), []);
    await dialog.getByRole("button", { name: "Edit" }).click();
    await dialog.getByLabel("Payload").fill('{"interval":45.0}');
    await dialog.getByRole("button", { name: "Publish with retain" }).click();
    await dialog.getByText("45.0").waitFor();
    const read = await plant.bridge.api("GET", "/v1/topics/shop/config");
    assert.equal(read.bytes.toString(), '{"interval":45.0}');
    await dialog.getByRole("button", { name: "Clear" }).click();
    await page.getByText("The broker drops its 17 B").waitFor();
    assert.deepEqual(await axe(), []);
    await page.getByRole("button", { name: "Clear the retained message" }).click();
    await page.getByText("The broker holds no retained message under shop/#").waitFor();
    assert.equal((await plant.bridge.api("GET", "/v1/topics/shop/config")).status, 404);
    assert.deepEqual(violations, []);
  });

  it("shows a key what it may do, and nothing else", async () => {
    const reader = await createKey({ name: "reader", scopes: ["read"], read: ["greenhouse/#"] });
    const reading = await open("live", {}, reader);
    await isLive(reading.page);
    await reading.page.getByText("on greenhouse/#").first().waitFor();
    assert.equal(await reading.page.getByRole("link", { name: "Publish" }).count(), 0);
    await plant.publish();
    await stream(reading.page).getByRole("button").first().click();
    await message(reading.page).getByText("Last messages of the topic").waitFor();
    assert.equal(await message(reading.page).getByRole("link").count(), 0);
    await reading.page.getByLabel("Topic filters").fill("pump/#");
    await reading.page.getByLabel("Topic filters").press("Enter");
    await reading.page.getByText("The messages cannot be shown").waitFor();
    assert.deepEqual(await reading.axe(), []);
    const writer = await createKey({ name: "writer", scopes: ["publish"], publish: ["pump/+/commands"] });
    const writing = await open("live", { viewport: PHONE }, writer);
    await writing.page.getByText("This key may publish to pump/+/commands.").waitFor();
    await writing.page.getByLabel("Topic", { exact: true }).fill("meter/1");
    await writing.page.getByText("this key may publish to pump/+/commands", { exact: true }).waitFor();
    await writing.page.getByLabel("Topic", { exact: true }).fill("pump/1/commands");
    await writing.page.getByRole("button", { name: "Publish", exact: true }).click();
    await writing.page.getByRole("status").getByText("The broker has the message.").waitFor();
    assert.deepEqual(await writing.axe(), []);
    assert.deepEqual([...reading.violations, ...writing.violations], []);
  });

  it("fits a phone", async () => {
    const { page, violations, axe } = await openLive("live", { viewport: PHONE, colorScheme: "dark" });
    await plant.publish();
    await stream(page).getByRole("button").first().click();
    await message(page).getByText("Last messages of the topic").waitFor();
    for (const panel of ["Message", "Publish", "Ask a device"]) {
      await page.getByRole("link", { name: panel, exact: true }).click();
      await page.locator(`a[aria-current="page"]`).getByText(panel, { exact: true }).waitFor();
      const wider = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
      assert.ok(Number(wider) <= 0, `${panel} is ${wider} px wider than the window`);
      assert.deepEqual(await axe(), []);
    }
    assert.deepEqual(violations, []);
  });
});
