/** The page of the keys in a real browser. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { API_KEY, startTestBridge, type TestBridge } from "../support/bridge.ts";
import { goTo, startBrowser, type TestBrowser } from "../support/browser.ts";
import { requireOrSkip } from "../support/requirements.ts";

describe("keys in Chromium", requireOrSkip("chromium"), () => {
  let bridge: TestBridge;
  let browser: TestBrowser;

  before(async () => {
    bridge = await startTestBridge();
    browser = await startBrowser(bridge.url);
  });
  after(async () => {
    await browser?.close();
    await bridge?.stop();
  });

  const open = (path: string, options = {}, key = API_KEY) => browser.openAs(key, path, options);

  it("creates a key, shows it once, and revokes it", async () => {
    const { page, violations, axe } = await open("keys");
    await page.getByText("No key beside the first one.").waitFor();
    assert.deepEqual(await axe(), []);
    await page.getByRole("link", { name: "New key" }).first().click();
    const form = page.getByRole("dialog", { name: "New key" });
    await form.getByRole("button", { name: "Create the key" }).click();
    await form.getByText("must have 1 to 100 characters").waitFor();
    await form.getByText("without a filter the key may use no topic").waitFor();
    assert.deepEqual(await axe(), []);
    await form.getByLabel("Name").fill("site-1");
    await form.getByRole("checkbox", { name: /^publish/ }).check();
    await form.getByLabel("May publish to").fill("{keyName}/+/commands");
    await form.getByLabel("May read").fill("{keyName}/#\na#");
    await form.getByText("a# # must stand alone in the last level").waitFor();
    await form.getByLabel("May read").fill("{keyName}/#");
    await form.getByLabel("At most (requests)").fill("100");
    await form.getByLabel("Expires").selectOption("In 7 days");
    assert.deepEqual(await axe(), []);
    await form.getByRole("button", { name: "Create the key" }).click();
    const created = page.getByRole("dialog", { name: "Key site-1" });
    const key = await created.getByRole("region", { name: "The key" }).locator("pre").innerText();
    assert.match(key, /^cw_/);
    const command = await created.getByRole("region", { name: "Try it" }).locator("pre").innerText();
    assert.match(command, new RegExp(`^curl .*Bearer ${key}' .*/v1/topics/site-1/demo/commands'$`));
    assert.deepEqual(await axe(), []);
    await created.getByRole("button", { name: "Close" }).click();
    await page.getByText("1 key beside the first one, 1 expires within 7 days.").waitFor();
    const row = page.getByRole("row").filter({ hasText: "site-1" });
    assert.match(await row.first().innerText(), /site-1\s+publish, read|site-1\s+read, publish/);
    assert.match(
      await row.first().innerText(),
      /site-1\/\+\/commands[\s\S]*site-1\/#[\s\S]*100 requests a second\s+never/,
    );
    assert.equal((await page.content()).includes(key), false, "the key is shown once");
    assert.deepEqual(await axe(), []);

    const used = await bridge.api("GET", "/v1/session", undefined, { authorization: `Bearer ${key}` });
    assert.equal(used.status, 200);
    await page.getByRole("button", { name: "Portal link for site-1" }).click();
    const portal = page.getByRole("dialog", { name: "Portal link for site-1" });
    await portal.getByLabel("Valid for").selectOption("15 minutes");
    assert.deepEqual(await axe(), []);
    await portal.getByRole("button", { name: "Create the link" }).click();
    assert.ok((await portal.locator("pre").innerText()).startsWith(`${bridge.url}/portal#`));
    assert.deepEqual(await axe(), []);
    await portal.getByRole("button", { name: "Close" }).click();
    await page.getByRole("button", { name: "Revoke site-1" }).click();
    const confirm = page.getByRole("dialog", { name: "Revoke site-1" });
    await confirm.getByText(/This key was (?:never|last) used/).waitFor();
    assert.deepEqual(await axe(), []);
    assert.ok(await confirm.getByRole("button", { name: "Revoke site-1" }).isDisabled());
    await confirm.getByLabel("Type site-1 to confirm").fill("site-1");
    await confirm.getByRole("button", { name: "Revoke site-1" }).click();
    await page.getByText("No key beside the first one.").waitFor();
    assert.deepEqual(violations, []);
  });

  it("fits a phone, in the dark", async () => {
    const scopes = ["publish", "read", "webhooks"];
    const filters = ["site-with-a-long-name/+/commands/and/more/levels", "a/#", "b/#", "c/#"];
    await bridge.api("POST", "/v1/keys", { name: "long", scopes, publish: filters, read: filters });
    const viewport = { width: 360, height: 740 };
    // Otherwise the list, which has been read already, has no such key for half a minute.
    const { page, violations, axe } = await open("keys", { viewport, colorScheme: "dark", load: true });
    await page.getByText("and 1 more").first().waitFor();
    for (const path of ["keys", "keys?new=1"]) {
      await goTo(page, `/${path}`);
      await page.getByText("1 key beside the first one.").waitFor();
      const wider = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
      assert.ok(Number(wider) <= 0, `${path} is ${wider} px wider than the window`);
      assert.deepEqual(await axe(), []);
    }
    assert.deepEqual(violations, []);
  });

  it("is not for keys without the scope admin", async () => {
    const { body } = await bridge.api("POST", "/v1/keys", { name: "reader", scopes: ["read"], read: ["#"] });
    const { page, violations } = await open("keys", {}, body.key);
    await page.getByText("This key may not see the keys").waitFor();
    assert.equal(await page.getByRole("link", { name: "Keys" }).count(), 0);
    assert.deepEqual(violations, []);
  });
});
