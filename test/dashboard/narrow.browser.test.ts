/** A webhook with long settings of each kind, at 360 px: no page of it scrolls sideways. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { API_KEY, startTestBridge, type TestBridge } from "../support/bridge.ts";
import { goTo, startBrowser, type TestBrowser } from "../support/browser.ts";
import { requireOrSkip } from "../support/requirements.ts";

const LONG = "aVeryLongWordWithoutAnyBreak".repeat(8);
const UNFOLD = 'document.querySelectorAll("main details").forEach((details) => { details.open = true; })';
/** Null, or what reaches beyond the window. */
const TOO_WIDE = `document.documentElement.scrollWidth <= innerWidth
  ? null
  : [...document.querySelectorAll("main *")]
      .filter((one) => one.getBoundingClientRect().left + one.scrollWidth > innerWidth)
      .map((one) => one.tagName + "." + one.className)`;
const URL_OF_RECEIVER = `https://127.0.0.1/${LONG}?q=${LONG}`;

const WEBHOOKS: Record<string, Record<string, unknown>> = {
  "long words": {
    ...{ name: LONG.slice(0, 120), url: URL_OF_RECEIVER, topics: [`${LONG}/+/${LONG}/#`, "a/b"] },
    ...{ filter: `data.${LONG} > 3`, transform: `{ "${LONG}": data.${LONG} }` },
    headers: { [`x-${LONG.slice(0, 100)}`]: LONG },
  },
  OAuth: {
    ...{ name: "OAuth", url: URL_OF_RECEIVER, topics: ["a/#"] },
    auth: {
      ...{ type: "oauth2", tokenUrl: `https://127.0.0.1/${LONG}`, clientId: LONG, clientSecret: "secret" },
      scope: LONG,
    },
  },
  pull: { name: LONG.slice(0, 120), type: "pull", topics: [`${LONG}/#`], filter: `data.${LONG} = 1` },
};

describe("long settings on a phone", requireOrSkip("chromium"), () => {
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

  for (const [kind, webhook] of Object.entries(WEBHOOKS))
    it(kind, async () => {
      const { status, body } = await bridge.api("POST", "/v1/webhooks", webhook);
      assert.equal(status, 201, JSON.stringify(body));
      const viewport = { width: 360, height: 740 };
      const { page } = await browser.openAs(API_KEY, "", { viewport, colorScheme: "dark" });
      const found: string[] = [];
      for (const address of [`webhooks/${body.id}`, `webhooks/${body.id}/edit`, `workbench?webhook=${body.id}`]) {
        await goTo(page, `/${address}`);
        await page.getByRole("heading", { level: 1 }).getByText(String(webhook.name)).waitFor();
        await page.evaluate(UNFOLD);
        for (const colorScheme of ["light", "dark"] as const) {
          await page.emulateMedia({ colorScheme });
          const wide = await page.evaluate<string[] | null>(TOO_WIDE);
          if (wide) found.push(`${address}, ${colorScheme}: ${wide.slice(0, 8)}`);
        }
      }
      assert.deepEqual(found, []);
    });
});
