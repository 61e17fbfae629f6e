/** Pages of a key with few rights and of a portal session: no violation of axe-core. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { startTestBridge, type TestBridge } from "../support/bridge.ts";
import { goTo, signIn, startBrowser, type TestBrowser, type TestWindow } from "../support/browser.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { look as lookAt, TWO_LOOKS } from "./axe-walk.ts";

const look = (window: TestWindow, state: string) => lookAt(window, state, TWO_LOOKS);

describe("pages with fewer rights", requireOrSkip("chromium"), () => {
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

  it("the pages of a key that may only view", async () => {
    const key = { name: "viewer", scopes: ["view"], read: ["tenant/#"] };
    const { body } = await bridge.api("POST", "/v1/keys", key);
    const viewer = await browser.open();
    await viewer.page.goto(bridge.url);
    await signIn(viewer.page, body.key);
    const found: string[] = [];
    for (const page of ["", "webhooks", "webhooks/new", "deliveries", "keys", "settings"]) {
      await goTo(viewer.page, `/${page}`);
      found.push(...(await look(viewer, `${page} of a viewer`)));
    }
    assert.deepEqual([...found, ...viewer.violations], []);
  });

  it("the pages of a portal session", async () => {
    const key = { name: "tenant", scopes: ["view", "read", "webhooks"], read: ["tenant/#"] };
    const { body } = await bridge.api("POST", "/v1/keys", key);
    const session = await bridge.api("POST", "/v1/portal-sessions", { keyId: body.id });
    const tenant = await browser.open();
    await tenant.page.goto(session.body.url);
    await tenant.page.getByText("Signed in as tenant").waitFor();
    const found: string[] = [];
    for (const page of ["", "webhooks", "live", "settings"]) {
      await goTo(tenant.page, `/${page}`);
      found.push(...(await look(tenant, `${page} of a portal session`)));
    }
    assert.deepEqual([...found, ...tenant.violations], []);
  });
});
