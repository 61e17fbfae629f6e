/** Every page that is empty, in both themes and two widths. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { API_KEY, startTestBridge, type TestBridge } from "../support/bridge.ts";
import { goTo, signIn, startBrowser, type TestBrowser, type TestWindow } from "../support/browser.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { look as lookAt, PAGES, TWO_LOOKS } from "./axe-walk.ts";

const look = (window: TestWindow, state: string) => lookAt(window, state, TWO_LOOKS);

describe("pages without data", requireOrSkip("chromium"), () => {
  let bridge: TestBridge;
  let browser: TestBrowser;
  let window: TestWindow;
  before(async () => {
    bridge = await startTestBridge();
    browser = await startBrowser(bridge.url);
    window = await browser.open();
    await window.page.goto(bridge.url);
    await window.page.getByRole("heading", { level: 1 }).waitFor();
    assert.deepEqual(await look(window, "signing in"), []);
    await signIn(window.page, API_KEY);
  });
  after(async () => {
    await browser?.close();
    await bridge?.stop();
  });

  for (const page of PAGES) {
    it(`/${page} is accessible when it is empty`, async () => {
      await goTo(window.page, `/${page}`);
      assert.deepEqual(await look(window, `${page} empty`), []);
    });
  }

  it("no page breaks its content security policy", () => assert.deepEqual(window.violations, []));
});
