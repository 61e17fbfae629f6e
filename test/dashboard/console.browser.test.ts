/** The console of the live page in a real browser, its retained messages, and what a key sees of it. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { requireOrSkip } from "../support/requirements.ts";
import { isLive, type LiveSetup, message, startLive, stream } from "./live-setup.ts";

const PHONE = { width: 360, height: 740 };

describe("the console of the live page in Chromium", requireOrSkip("chromium"), () => {
  let live: LiveSetup;

  before(async () => {
    live = await startLive();
  });
  after(() => live?.stop());

  const send = (topic: string, payload: string | Buffer, options = {}) =>
    live.device.publishAsync(topic, payload, options);

  async function createKey(key: Record<string, unknown>): Promise<string> {
    const { body } = await live.plant.bridge.api("POST", "/v1/keys", key);
    return body.key as string;
  }

  it("publishes now and later, and says what became of it", async () => {
    const { page, violations, axe } = await live.openLive("live?topics=demo/%23");
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
    const { page, violations, axe } = await live.open("live?panel=ask&to=pump/1/requests/{requestId}");
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
    const { page, violations, axe } = await live.openLive("live?topics=shop/%23");
    await page.getByRole("link", { name: "Retained messages" }).click();
    await page.getByText("1 retained message under shop/#").waitFor();
    assert.deepEqual(await axe(), []);
    await page.getByRole("button", { name: "shop/config" }).click();
    const dialog = page.getByRole("dialog", { name: "shop/config" });
    await dialog.getByText("30.0").waitFor();
    assert.deepEqual(await axe(), []);
    await dialog.getByRole("button", { name: "Edit" }).click();
    await dialog.getByLabel("Payload", { exact: true }).fill('{"interval":45.0}');
    await dialog.getByRole("button", { name: "Publish with retain" }).click();
    await dialog.getByText("45.0").waitFor();
    const read = await live.plant.bridge.api("GET", "/v1/topics/shop/config");
    assert.equal(read.bytes.toString(), '{"interval":45.0}');
    await dialog.getByRole("button", { name: "Clear" }).click();
    await page.getByText("The broker drops its 17 B").waitFor();
    assert.deepEqual(await axe(), []);
    await page.getByRole("button", { name: "Clear the retained message" }).click();
    await page.getByText("The broker holds no retained message under shop/#").waitFor();
    assert.equal((await live.plant.bridge.api("GET", "/v1/topics/shop/config")).status, 404);
    assert.deepEqual(violations, []);
  });

  it("shows a key what it may do, and nothing else", async () => {
    const reader = await createKey({ name: "reader", scopes: ["read"], read: ["greenhouse/#"] });
    const reading = await live.open("live", {}, reader);
    await isLive(reading.page);
    await reading.page.getByText("on greenhouse/#").first().waitFor();
    assert.equal(await reading.page.getByRole("link", { name: "Publish" }).count(), 0);
    await live.plant.publish();
    await stream(reading.page).getByRole("button").first().click();
    await message(reading.page).getByText("Last messages of the topic").waitFor();
    assert.equal(await message(reading.page).getByRole("link").count(), 0);
    await reading.page.getByLabel("Topic filters").fill("pump/#");
    await reading.page.getByLabel("Topic filters").press("Enter");
    await reading.page.getByText("The messages cannot be shown").waitFor();
    assert.deepEqual(await reading.axe(), []);
    const writer = await createKey({ name: "writer", scopes: ["publish"], publish: ["pump/+/commands"] });
    const writing = await live.open("live", { viewport: PHONE }, writer);
    await writing.page.getByText("This key may publish to pump/+/commands.").waitFor();
    await writing.page.getByLabel("Topic", { exact: true }).fill("meter/1");
    await writing.page.getByText("this key may publish to pump/+/commands", { exact: true }).waitFor();
    await writing.page.getByLabel("Topic", { exact: true }).fill("pump/1/commands");
    await writing.page.getByRole("button", { name: "Publish", exact: true }).click();
    await writing.page.getByRole("status").getByText("The broker has the message.").waitFor();
    assert.deepEqual(await writing.axe(), []);
    assert.deepEqual([...reading.violations, ...writing.violations], []);
  });
});
