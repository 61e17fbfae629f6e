/** Every page that is empty, loading, refused, or without the bridge, in both themes and two widths. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { API_KEY, startTestBridge, type TestBridge } from "../support/bridge.ts";
import { signIn, startBrowser, type TestBrowser, type TestWindow } from "../support/browser.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { look as lookAt, PAGES, TWO_LOOKS } from "./axe-walk.ts";

const PROBLEM = JSON.stringify({
  ...{ type: "urn:causeway:problem:store_unavailable", title: "The store is not available", status: 503 },
  ...{ detail: "Redis does not respond", code: "store_unavailable" },
});
const look = (window: TestWindow, state: string) => lookAt(window, state, TWO_LOOKS);

/** All calls but that of the session. */
const CALLS = /\/(?:v1\/(?!session)|readyz)/;

describe("pages without data", requireOrSkip("chromium"), () => {
  let bridge: TestBridge;
  let browser: TestBrowser;
  let window: TestWindow;
  before(async () => {
    bridge = await startTestBridge();
    browser = await startBrowser(bridge.url);
    window = await browser.open();
    await window.page.goto(bridge.url);
    assert.deepEqual(await look(window, "signing in"), []);
    await signIn(window.page, API_KEY);
  });
  after(async () => {
    await browser?.close();
    await bridge?.stop();
  });

  const open = async (page: string) => {
    await window.page.goto(`${bridge.url}/${page}`);
    await window.page.getByRole("heading", { level: 1 }).waitFor();
  };

  for (const page of PAGES) {
    it(`/${page} is accessible when it is empty`, async () => {
      await open(page);
      assert.deepEqual(await look(window, `${page} empty`), []);
    });
  }

  for (const page of ["", "webhooks", "deliveries", "keys", "hooks", "settings", "webhooks/wh_1", "messages/msg_1"]) {
    it(`/${page} is accessible while it loads, and when it is refused`, async () => {
      const waiting: (() => Promise<void>)[] = [];
      await window.page.route(CALLS, (route) => {
        waiting.push(() =>
          route.fulfill({ status: 503, contentType: "application/problem+json", body: PROBLEM }).catch(() => undefined),
        );
      });
      await open(page);
      const found = await look(window, `${page} loading`);
      await window.page.unroute(CALLS);
      await window.page.route(CALLS, (route) =>
        route.fulfill({ status: 503, contentType: "application/problem+json", body: PROBLEM }),
      );
      await Promise.all(waiting.map((go) => go()));
      await window.page.getByText("Redis does not respond").first().waitFor();
      found.push(...(await look(window, `${page} refused`)));
      await window.page.unroute(CALLS);
      assert.deepEqual(found, []);
    });
  }

  it("the overview is accessible with old data, while the bridge does not respond", async () => {
    await open("");
    await window.page.getByText("Connected").first().waitFor();
    await window.context.setOffline(true);
    await window.page
      .getByText(/As of .*, reconnecting/)
      .first()
      .waitFor();
    assert.deepEqual(await look(window, "offline"), []);
    await window.context.setOffline(false);
  });

  it("no page breaks its content security policy", () => assert.deepEqual(window.violations, []));
});
