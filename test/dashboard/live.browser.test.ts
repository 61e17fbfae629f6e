/** The live page in a real browser: stream, tree and message. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { requireOrSkip } from "../support/requirements.ts";
import { isLive, type LiveSetup, message, startLive, stream, tree } from "./live-setup.ts";

const PHONE = { width: 360, height: 740 };

describe("the live page in Chromium", requireOrSkip("chromium"), () => {
  let live: LiveSetup;

  before(async () => {
    live = await startLive();
  });
  after(() => live?.stop());

  const send = (topic: string, payload: string | Buffer, options = {}) =>
    live.device.publishAsync(topic, payload, options);

  it("shows messages as they arrive, with the tree of their topics", async () => {
    const { page, violations, axe } = await live.openLive("live?topics=greenhouse/%23");
    await page.getByText("No message yet on greenhouse/#.").waitFor();
    assert.deepEqual(await axe(), []);
    await live.plant.publish();
    await page.getByText("on greenhouse/#, showing all 2").waitFor();
    await tree(page).getByText('{"temperature":').first().waitFor();
    assert.match(await tree(page).innerText(), /greenhouse\s+2\s[\s\S]*north\s+1\s/);
    assert.deepEqual(await axe(), []);
    await stream(page).getByRole("button").first().focus();
    await page.getByRole("button", { name: "The list stands still" }).waitFor();
    await tree(page).getByRole("link", { name: "north", exact: true }).click();
    await page.getByText("showing 1 message below greenhouse/north").waitFor();
    await page.waitForURL(({ searchParams }) => searchParams.get("branch") === "greenhouse/north");
    await send("greenhouse/south/telemetry", "1");
    await send("greenhouse/north/telemetry", "2");
    await page.getByText("showing 2 messages below greenhouse/north").waitFor();
    // Another branch begins at its newest message.
    await stream(page).getByRole("cell", { name: "2", exact: true }).waitFor();
    await page.reload();
    await page.getByText("No message yet below greenhouse/north").waitFor();
    await page.goBack();
    await isLive(page);
    await page.getByLabel("Topic filters").fill("pump/#/x");
    await page.getByText("pump/#/x # must stand alone in the last level").waitFor();
    await page.getByLabel("Topic filters").fill("pump/#, meter/#");
    await page.getByLabel("Topic filters").press("Enter");
    await page.getByText("on pump/#, meter/#").first().waitFor();
    await page.waitForURL(({ searchParams }) => searchParams.getAll("topics").join() === "pump/#,meter/#");
    await isLive(page);
    await live.plant.publish();
    await page.getByText("showing all 2").waitFor();
    assert.deepEqual(violations, []);
  });

  it("counts what a pause skips, and starts anew when cleared", async () => {
    const { page, violations } = await live.openLive("live?topics=a");
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
    const { page, violations, axe } = await live.openLive("live?topics=greenhouse/%23", { colorScheme: "dark" });
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
      ["Create webhook for this topic", `/webhooks/new?topic=${encodeURIComponent(topic)}`],
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
    // On a topic of its own: messages that arrive within a moment cannot be told apart.
    await send("greenhouse/north/blob", Buffer.from([0, 255, 16]));
    await stream(page).getByText("binary AP8Q").waitFor();
    await stream(page).getByRole("button").first().click();
    await message(page).getByText("00 ff 10").waitFor();
    assert.deepEqual(await axe(), []);
    await message(page).getByRole("link", { name: "Follow this message" }).click();
    await page.waitForURL(/\/messages\/msg_/);
    assert.deepEqual(violations, []);
  });

  it("says that the connection was lost, how long, and goes on", async () => {
    const { page, violations } = await live.openLive("live?topics=a");
    await send("a", "1");
    await page.getByText("showing all 1").waitFor();
    live.cut();
    await page.getByText(/The connection was away for .* Messages in between are not shown\./).waitFor();
    await isLive(page);
    await send("a", "2");
    await page.getByText("showing all 2").waitFor();
    await page.getByRole("button", { name: "Hide" }).click();
    await page.getByText("The connection was away").waitFor({ state: "detached" });
    assert.deepEqual(violations, []);
  });

  it("fits a phone", async () => {
    const { page, violations, axe } = await live.openLive("live", { viewport: PHONE, colorScheme: "dark" });
    await live.plant.publish();
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
