/** Portal links in a real browser: in a window of their own, and in a frame of a page of another site. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { accentOf, rgbOf } from "../../dashboard/src/data/accent.ts";
import { startTestBridge, type TestBridge } from "../support/bridge.ts";
import { startBrowser, type TestBrowser } from "../support/browser.ts";
import { temporaryDirectory } from "../support/directories.ts";
import { eventually } from "../support/eventually.ts";
import { requireOrSkip } from "../support/requirements.ts";

/** Another colour than that of the dashboard; too pale for text on white, so that the page must darken it. */
const ACCENT = "#12b886";
const LOGO =
  '<svg xmlns="http://www.w3.org/2000/svg" width="96" height="24"><rect width="96" height="24" fill="#12b886"/></svg>';

function logoFile(): string {
  const path = join(temporaryDirectory("logo"), "logo.svg");
  writeFileSync(path, LOGO);
  return path;
}

/** Serves a page that shows the address in its query in a frame. */
async function startHost(): Promise<{ server: Server; origin: string }> {
  const server = createServer(({ url }, response) => {
    const framed = new URL(url!, "http://host").searchParams.get("of") ?? "";
    response.setHeader("content-type", "text/html");
    response.end(
      `<!doctype html><title>Host</title><iframe title="portal" width="800" height="600" src="${framed}"></iframe>`,
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  // Another site than 127.0.0.1, so that the frame gets no cookies of its own site.
  return { server, origin: `http://localhost:${(server.address() as AddressInfo).port}` };
}

describe("portal links in Chromium", requireOrSkip("chromium"), () => {
  let host: Awaited<ReturnType<typeof startHost>>;
  let stranger: Awaited<ReturnType<typeof startHost>>;
  let bridge: TestBridge;
  let browser: TestBrowser;
  let keyId: string;
  before(async () => {
    [host, stranger] = [await startHost(), await startHost()];
    bridge = await startTestBridge({
      ...{ EMBED_ORIGINS: host.origin, BASE_PATH: "/iot" },
      ...{ PORTAL_LOGO: logoFile(), PORTAL_ACCENT: ACCENT },
    });
    browser = await startBrowser(bridge.url);
    const key = { name: "tenant", scopes: ["view", "read"], read: ["tenant/#"] };
    keyId = (await bridge.api("POST", "/iot/v1/keys", key)).body.id;
  });
  after(async () => {
    await browser?.close();
    await bridge?.kill();
    for (const { server } of [host, stranger]) server.close();
  });

  const link = async (): Promise<string> => (await bridge.api("POST", "/iot/v1/portal-sessions", { keyId })).body.url;
  const framing = ({ origin }: { origin: string }, url: string) => `${origin}/?of=${encodeURIComponent(url)}`;

  it("open the dashboard once, as their key, and leave no token in the address", async () => {
    const url = await link();
    const token = new URL(url).hash.slice(1);
    const { page, context, violations, axe } = await browser.open();
    const requested: string[] = [];
    page.on("request", (request) => requested.push(request.url() + JSON.stringify(request.headers())));
    await page.goto(url);
    await page.getByText("Signed in as tenant").waitFor();
    await page.waitForURL(`${bridge.url}/iot/`);
    assert.ok(
      requested.every((line) => !line.includes(token)),
      "neither in a request line nor in a header",
    );
    assert.equal(await page.getByRole("link", { name: "Keys", exact: true }).count(), 0);
    await page.reload();
    await page.getByText("Signed in as tenant").waitFor();

    const { page: other } = await browser.open({ beside: true });
    await other.goto(url);
    await other.getByText("the link is used or has expired").waitFor();
    await page.goto(url);
    await page.getByText("the link is used or has expired").waitFor();
    assert.deepEqual(await axe(), []);
    await page.getByRole("button", { name: "Sign in with a key" }).click();
    await page.getByText("Signed in as tenant").waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("API key").waitFor();
    assert.deepEqual(await context.cookies(), []);
    assert.deepEqual(violations, []);
  });

  it("show the logo and the colour of the operator, readable in both themes", async () => {
    const { page, violations, axeInBothThemes } = await browser.open();
    await page.goto(await link());
    await page.getByText("Signed in as tenant").waitFor();
    const logo = page.getByRole("link", { name: "Overview", exact: true }).locator("img.logo");
    assert.equal(await logo.getAttribute("src"), "/iot/portal/logo");
    const sizes = await page.evaluate(
      "(async (image) => (await image.decode(), [image.naturalWidth, image.clientHeight]))(document.querySelector('img.logo'))",
    );
    assert.deepEqual(sizes, [96, 24]);
    const shown = await page.evaluate("document.documentElement.style.getPropertyValue('--accent')");
    assert.equal(shown, accentOf(ACCENT)["--accent"]);
    const [light, dark] = [...accentOf(ACCENT)["--accent"].matchAll(/#[\da-f]{6}/g)].map(([hex]) => rgbOf(hex));
    for (const [colorScheme, wanted] of [
      ["dark", dark!],
      ["light", light!],
    ] as const) {
      await page.emulateMedia({ colorScheme });
      const colour = await page.evaluate("getComputedStyle(document.querySelector('.nav [aria-current]')).color");
      assert.equal(colour, `rgb(${wanted.join(", ")})`);
    }
    assert.deepEqual(await axeInBothThemes(), []);
    assert.deepEqual(violations, []);
  });

  it("open in a frame of another site, with a cookie that belongs to that site", async () => {
    const { page, context, violations } = await browser.open();
    await page.goto(framing(host, await link()));
    const frame = page.frameLocator("iframe");
    await frame.getByText("Signed in as tenant").waitFor();
    const cookies = await context.cookies(`${bridge.url}/iot/`);
    assert.deepEqual(
      cookies.map(({ name, sameSite, secure, httpOnly }) => [name, sameSite, secure, httpOnly]),
      [["causeway_portal", "None", true, true]],
    );
    await frame.getByRole("link", { name: "Live", exact: true }).click();
    await frame.getByRole("heading", { level: 1 }).waitFor();
    // The cookie belongs to frames of the host: a window of the bridge itself is not signed in.
    const own = await context.newPage();
    await own.goto(`${bridge.url}/iot/`);
    await own.getByLabel("API key").waitFor();
    await frame.getByRole("button", { name: "Sign out" }).click();
    await frame.getByLabel("API key").waitFor();
    assert.deepEqual(
      violations.filter((line) => !line.startsWith(`request to ${host.origin}/`)),
      [],
    );
  });

  it("are not framed by a site that is not named", async () => {
    const { page, violations } = await browser.open();
    await page.goto(framing(stranger, await link()));
    await eventually(
      () => violations,
      (lines) => lines.some((line) => /frame-ancestors/.test(line)),
    );
    assert.equal(await page.frameLocator("iframe").getByText("Signed in as tenant").count(), 0);
  });
});
