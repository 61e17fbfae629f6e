/** Creating and changing a webhook in Chromium: what the form says while typing, and what it sends. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Page } from "playwright-core";
import { API_KEY } from "../support/bridge.ts";
import { goTo, startBrowser, type TestBrowser } from "../support/browser.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { type Plant, startPlant } from "./plant.ts";

const PHONE = { viewport: { width: 360, height: 740 } };

describe("the form of a webhook", requireOrSkip("chromium"), () => {
  let plant: Plant;
  let browser: TestBrowser;
  before(async () => {
    plant = await startPlant();
    browser = await startBrowser(plant.bridge.url);
    for (let n = 0; n < 5; n++) await plant.publish();
  });
  after(async () => {
    await browser?.close();
    await plant?.stop();
  });

  const open = (address: string, options = {}) => browser.openAs(API_KEY, address, options);
  const idOf = async (page: Page) => {
    const link = page.getByRole("link", { name: "Open the webhook" });
    return (await link.getAttribute("href"))!.split("/").at(-1)!;
  };
  const lead = (page: Page, text: string) => page.locator(".lead", { hasText: text }).waitFor();

  it("creates a webhook, with its words kept current while typing", async () => {
    const { page, violations, axeInBothThemes: axe } = await open("webhooks/new");
    await lead(page, "Sends messages on … (no topic yet) to … (no URL yet)");
    assert.deepEqual(await axe(), []);

    const topics = page.getByLabel("Topic filters");
    await topics.fill("greenhouse/#/telemetry");
    await page.getByText("greenhouse/#/telemetry: # must stand alone in the last level").waitFor();
    assert.deepEqual(await axe(), []);
    await topics.fill("greenhouse/+/telemetry");
    await page.getByText(/matches \d+ of the\s+last \d+ messages/).waitFor();

    const url = page.getByLabel("URL", { exact: true });
    await url.fill("http://10.0.0.1/hook");
    await page.getByText(/10\.0\.0\.1 is not allowed \(.*RFC 1918/).waitFor();
    await url.fill(`${plant.receiver.url}/new`);
    await page.getByText("The bridge may call this URL.").waitFor();
    await lead(page, `Sends messages on greenhouse/+/telemetry to ${plant.receiver.url}/new`);

    const preview = page.getByRole("complementary", { name: "Request preview" });
    await preview.getByText("Sent").waitFor();
    assert.match(
      (await preview.locator("pre").textContent())!,
      /"temperature": \d\d\.\d\d,/,
      "the bytes of the device",
    );
    await page.getByText("Shape", { exact: true }).click();
    await page.getByLabel("Filter", { exact: true }).fill("data.temperature > ");
    await page.locator(".error", { hasText: /expected|unexpected|end of expression/i }).waitFor();
    await page.getByLabel("Filter", { exact: true }).fill("data.temperature > 1000");
    await preview.getByText("Filtered out").waitFor();
    await page.getByLabel("Filter", { exact: true }).fill("");
    await page.getByLabel("Transform").fill('{ "celsius": data.temperature }');
    await preview.locator("pre", { hasText: '"celsius"' }).waitFor();
    assert.deepEqual(await axe(), []);

    await page.getByLabel("Name").fill("Copy");
    await page.getByRole("button", { name: "Create the webhook" }).click();
    await page.getByRole("heading", { name: "Copy is created" }).waitFor();
    assert.match((await page.getByTestId("secret").textContent())!, /^whsec_/);
    await page.getByRole("button", { name: "Copy the secret" }).waitFor();
    assert.deepEqual(await axe(), []);
    const { body } = await plant.bridge.api("GET", `/v1/webhooks/${await idOf(page)}`);
    assert.deepEqual(
      [body.url, body.topics, body.transform, body.filter, body.mode],
      [
        `${plant.receiver.url}/new`,
        ["greenhouse/+/telemetry"],
        '{ "celsius": data.temperature }',
        undefined,
        "structured",
      ],
    );
    await page.getByRole("link", { name: "Open the webhook" }).click();
    await page.getByRole("heading", { level: 1, name: "Copy", exact: true }).waitFor();
    assert.doesNotMatch(await page.content(), /whsec_/);
    assert.deepEqual(violations, []);
  });

  it("fills a preset from its questions, on a phone", async () => {
    const { page, violations, axe } = await open("webhooks/new", PHONE);
    await page.getByRole("button", { name: "ntfy" }).click();
    await page.getByLabel("Server").fill("nowhere");
    await page.getByText("must look like https://ntfy.sh").waitFor();
    const create = page.getByRole("button", { name: "Create the webhook" });
    assert.equal(await create.isDisabled(), true);
    assert.deepEqual(await axe(), []);
    await page.getByLabel("Server").fill(plant.receiver.url);
    await page.getByLabel("ntfy topic").fill("plant-alarms");
    await page.getByLabel("Topic filters").fill("greenhouse/+/telemetry");
    const preview = page.getByRole("complementary", { name: "Request preview" });
    await preview.locator("pre", { hasText: '"topic": "plant-alarms"' }).waitFor();
    await preview.getByText("headers").click();
    await preview.getByText("application/json", { exact: true }).waitFor();
    assert.ok(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "no sideways scrolling");
    assert.deepEqual(await axe(), []);
    await create.click();
    await page.getByRole("heading", { name: / is created$/ }).waitFor();
    await plant.publish();
    await plant.receiver.until((calls) =>
      calls.some(
        ({ path, body }) => path === "/" && /^\{"topic":"plant-alarms","title":"greenhouse\//.test(String(body)),
      ),
    );
    assert.deepEqual(violations, []);
  });

  it("previews the event that a pull webhook keeps, in the form and in the workbench", async () => {
    const { page, violations, axe } = await open("webhooks/new");
    await page.getByText("A program takes the messages").click();
    await page.getByLabel("Topic filters").fill("greenhouse/+/telemetry");
    const preview = page.getByRole("complementary", { name: "Event preview" });
    await preview.getByText("Kept", { exact: true }).waitFor();
    await preview.locator("pre", { hasText: /"temperature": \d\d\.\d\d,/ }).waitFor();
    assert.equal(await preview.getByText("headers").count(), 0, "there is no request");
    assert.deepEqual(await axe(), []);
    const { id } = await plant.bridge.register({ name: "Kept", type: "pull", topics: ["greenhouse/+/telemetry"] });
    await goTo(page, `/workbench?webhook=${id}`);
    await page.getByRole("region", { name: "Request" }).getByText("Kept", { exact: true }).waitFor();
    assert.deepEqual(await axe(), []);
    assert.deepEqual(violations, []);
  });

  it("previews a message of one's own where there is none yet", async () => {
    const { page, violations, axe } = await open("webhooks/new");
    await page.getByLabel("Topic filters").fill("nowhere/+/x");
    await page.getByLabel("URL", { exact: true }).fill(`${plant.receiver.url}/{topic[1]}`);
    await page.getByRole("button", { name: "Use an example message" }).click();
    assert.equal(await page.getByLabel("Topic of the message").inputValue(), "nowhere/example/x");
    await page.getByLabel("Topic of the message").fill("nowhere/pump 7/x");
    await page.getByLabel("Payload", { exact: true }).fill("21.50");
    const preview = page.getByRole("complementary", { name: "Request preview" });
    await preview.getByText(`${plant.receiver.url}/pump%207`).waitFor();
    await preview.locator("pre", { hasText: '"data": 21.50' }).waitFor();
    assert.deepEqual(await axe(), []);
    assert.deepEqual(violations, []);
  });

  it("shows at its field what the bridge refuses when it is saved", async () => {
    await plant.bridge.api("POST", "/v1/webhooks", {
      url: `${plant.receiver.url}/x`,
      topics: ["x"],
      externalId: "taken",
    });
    const { page, violations, axe } = await open("webhooks/new");
    await page.getByLabel("Topic filters").fill("x");
    await page.getByLabel("URL", { exact: true }).fill(`${plant.receiver.url}/x`);
    await page.getByText("Security", { exact: true }).click();
    await page.getByLabel("External id").fill("taken");
    await page.getByRole("button", { name: "Create the webhook" }).click();
    const alert = page.getByRole("alert").filter({ hasText: "The webhook was not created" });
    await alert.getByText("code conflict").waitFor();
    assert.deepEqual(await axe(), []);
    assert.deepEqual(violations, []);
  });

  it("changes only what was edited, and removes with null", async () => {
    const id = plant.webhooks["Pump alarms"];
    const { page, violations, axe } = await open(`webhooks/${id}/edit`);
    const save = page.getByRole("button", { name: "Save the changes" });
    await page.getByText("Nothing is changed yet.").waitFor();
    assert.equal(await save.isDisabled(), true);
    assert.equal(await page.getByLabel("Filter", { exact: true }).inputValue(), "data.pressure > 3");
    assert.deepEqual(await axe(), []);
    await page.getByLabel("Filter", { exact: true }).fill("");
    await page.getByText("Delivery", { exact: true }).click();
    await page.getByLabel("Retry after").fill("5 s, 1 min");
    await page.getByText("Destination", { exact: true }).click();
    await page.getByLabel("Authentication to the receiver").selectOption("basic");
    await page.getByLabel("User").fill("causeway");
    await page.getByLabel("Password").fill("hunter2");
    const [request] = await Promise.all([page.waitForRequest((one) => one.method() === "PATCH"), save.click()]);
    assert.deepEqual(request.postDataJSON(), {
      filter: null,
      retry: { scheduleSeconds: [5, 60] },
      auth: { type: "basic", username: "causeway", password: "hunter2" },
    });
    await page.getByText("Saved 3 changes to Pump alarms.").waitFor();
    await page.waitForURL(new RegExp(`/webhooks/${id}$`));
    await page.getByText("basic, user causeway").waitFor();

    await page.getByRole("link", { name: "Edit", exact: true }).click();
    await page.getByText("Nothing is changed yet.").waitFor();
    assert.equal(await page.getByLabel("Authentication to the receiver").inputValue(), "keep");
    assert.doesNotMatch(await page.content(), /hunter2/);
    await page.getByLabel("URL", { exact: true }).fill("http://127.0.0.2:9/other");
    await save.click();
    await page.getByText("must be set again or removed when the origin of url changes").first().waitFor();
    assert.deepEqual(await axe(), []);
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.waitForURL(new RegExp(`/webhooks/${id}$`));
    assert.deepEqual(violations, []);
  });
});
