/** Hooks in Chromium: created with live validation, called as the page says, changed, deleted, and seen by rights. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { API_KEY } from "../support/bridge.ts";
import { startBrowser, type TestBrowser } from "../support/browser.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { type Plant, startPlant } from "./plant.ts";

const run = promisify(execFile);

describe("the page of hooks", requireOrSkip("chromium", "curl"), () => {
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

  const open = (address: string, options = {}, key = API_KEY) => browser.openAs(key, address, options);

  it("creates, calls, changes and deletes a hook", async () => {
    const window = await open("hooks", { permissions: ["clipboard-read", "clipboard-write"] });
    const { page, violations, axeInBothThemes: axe } = window;
    await page.getByText("No service calls this bridge yet.").waitFor();
    assert.deepEqual(await axe(), []);
    await page.getByRole("link", { name: "New hook" }).first().click();
    const dialog = page.getByRole("dialog", { name: "New hook" });
    assert.deepEqual(await axe(), []);

    await dialog.getByLabel("Topic").fill("lamps/{query.id/set");
    await dialog.getByText("has a { without its }").waitFor();
    assert.deepEqual(await axe(), []);
    await dialog.getByLabel("Topic").fill("lamps/{query.id}/set");
    await dialog.locator(".topic-shown", { hasText: "lamps/7/set" }).waitFor();
    await dialog.getByLabel("Payload").fill("$error('why')");
    await dialog.getByText("This call publishes nothing").waitFor();
    await dialog.getByLabel("Payload").fill("params.state");
    await dialog.getByText("payload: the expression must give a value").waitFor();
    await dialog.getByLabel("Query").fill("id=8&state=on");
    await dialog.locator("pre", { hasText: "on" }).waitFor();
    await dialog.getByRole("button", { name: "Create the hook" }).click();
    await dialog.getByText("The hook was not created").waitFor();
    await dialog.getByLabel("Name").fill("Lamps");
    await dialog.getByText("Call and message").click();
    await dialog.getByLabel("GET", { exact: true }).check();
    await dialog.getByLabel("POST", { exact: true }).uncheck();
    await dialog.getByLabel("Store the message").uncheck();
    assert.deepEqual(await axe(), []);
    await dialog.getByRole("button", { name: "Create the hook" }).click();

    const panel = page.getByRole("dialog", { name: "Lamps" });
    await panel.getByText("The hook is created.").waitFor();
    assert.deepEqual(await axe(), []);
    await panel.getByRole("button", { name: "Copy as curl" }).click();
    await panel.getByRole("button", { name: "Copied" }).waitFor();
    const command = await page.evaluate<string>("navigator.clipboard.readText()");
    const { stdout } = await run("sh", ["-c", command.replace(/'$/, "?id=3&state=on'")]);
    assert.deepEqual([JSON.parse(stdout).topic, JSON.parse(stdout).outcome], ["lamps/3/set", "acknowledged"]);

    await panel.getByRole("button", { name: "Edit" }).click();
    assert.equal(await panel.getByRole("button", { name: "Save the changes" }).isDisabled(), true);
    await panel.getByLabel("Verification").selectOption("github");
    await panel.getByLabel("Secret").fill("a-long-random-text");
    assert.deepEqual(await axe(), []);
    await panel.getByRole("button", { name: "Save the changes" }).click();
    await panel.locator("dd").filter({ hasText: "GitHub signature" }).waitFor();
    await panel.getByRole("button", { name: "Delete" }).click();
    const confirm = page.getByRole("dialog", { name: "Delete Lamps" });
    assert.deepEqual(await axe(), []);
    await confirm.getByLabel("Type Lamps to confirm").fill("Lamps");
    await confirm.getByRole("button", { name: "Delete the hook" }).click();
    await page.getByText("No service calls this bridge yet.").waitFor();
    assert.deepEqual(violations, []);
    await window.context.close();
  });

  it("shows a key its own hooks only, and says why one is stopped", async () => {
    const { api } = plant.bridge;
    const key = async (scopes: string[]) =>
      (await api("POST", "/v1/keys", { name: scopes.join(), scopes, publish: ["#"], read: ["#"] })).body;
    const [publisher, viewer, gone] = [await key(["publish"]), await key(["view"]), await key(["publish"])];
    const create = (name: string, bearer: string) =>
      api("POST", "/v1/hooks", { name, topic: "a/b" }, { authorization: `Bearer ${bearer}` });
    await create("Mine", publisher.key);
    await create("Orphan", gone.key);
    await api("DELETE", `/v1/keys/${gone.id}`);

    const own = await open("hooks", { viewport: { width: 360, height: 740 } }, publisher.key);
    await own.page.getByRole("link", { name: "Mine" }).waitFor();
    assert.equal(await own.page.getByRole("link", { name: "Orphan" }).count(), 0);
    assert.ok(await own.page.evaluate("document.documentElement.scrollWidth <= innerWidth"));
    assert.deepEqual(await own.axe(), []);

    const { page, axe } = await open("hooks");
    await page.getByText("2 hooks, 1 stopped.").waitFor();
    await page.getByRole("link", { name: "Orphan" }).click();
    await page.getByText(/was withdrawn or has expired/).waitFor();
    assert.deepEqual(await axe(), []);

    const none = await open("hooks", {}, viewer.key);
    await none.page.getByText("This key may not see hooks").waitFor();
    assert.equal(await none.page.getByRole("link", { name: "Hooks", exact: true }).count(), 0);
  });
});
