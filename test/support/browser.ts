/** Chromium, driven by Playwright, with what the dashboard must never do recorded. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import { type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { findProgram } from "./requirements.ts";
import { scaled } from "./speed.ts";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WAIT_MS = 15_000;
const SIZE = { width: 1280, height: 720 };

export interface WindowOptions extends BrowserContextOptions {
  /** Whether the earlier windows stay open. Otherwise they close: they would go on refreshing their pages. */
  beside?: boolean;
  /** Whether `openAs` loads the page in any case: it forgets what it has read. */
  load?: boolean;
}

export interface TestBrowser {
  /** Opens a window with cookies and storage of its own. */
  open(options?: WindowOptions): Promise<TestWindow>;
  /**
   * Shows a page with the session of a key. The window of the call before is used again if it has the same options
   * apart from theme and size: as a link does if the key is the same, else the page is loaded. A new one takes five
   * times as much CPU time. @param path without the first slash
   */
  openAs(key: string, path: string, options?: WindowOptions): Promise<TestWindow>;
  close(): Promise<void>;
}

export interface TestWindow {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Reports of the content security policy, script errors, and requests to foreign hosts. Must stay empty. */
  readonly violations: string[];
  /** Returns the accessibility violations of the page as it is shown now. */
  axe(): Promise<string[]>;
  /** The same, in the light and in the dark theme. */
  axeInBothThemes(): Promise<string[]>;
}

/** @param origin the only one to which requests may go */
export async function startBrowser(origin: string): Promise<TestBrowser> {
  const browser = await chromium.launch({
    executablePath: findProgram("chromium")!,
    // Chromium's sandbox needs rights that containers and root do not have; it loads nothing but the bridge's pages.
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
  });
  let last: { window: TestWindow; key: string; options: string } | undefined;
  const closeAllBut = (kept?: BrowserContext) =>
    Promise.all(browser.contexts().map((context) => context !== kept && context.close()));

  async function open({ beside = false, load: _, ...options }: WindowOptions = {}): Promise<TestWindow> {
    if (!beside) await closeAllBut();
    const context = await browser.newContext({ reducedMotion: "reduce", ...options });
    context.setDefaultTimeout(scaled(WAIT_MS));
    const violations: string[] = [];
    const page = await context.newPage();
    page.on("request", (request) => {
      const { protocol, origin: to } = new URL(request.url());
      if (/^(?:https?|wss?):$/.test(protocol) && to !== origin) violations.push(`request to ${request.url()}`);
    });
    page.on("pageerror", (error) => violations.push(`script error: ${error.name}: ${error.message} ${error.stack}`));
    page.on("console", (message) => {
      if (/Content Security Policy/.test(message.text())) violations.push(message.text());
    });
    const axe = () => violationsOf(page);
    const axeInBothThemes = async () => {
      const found: string[] = [];
      for (const colorScheme of ["dark", "light"] as const) {
        await page.emulateMedia({ colorScheme });
        found.push(...(await axe()).map((violation) => `${colorScheme}: ${violation}`));
      }
      return found;
    };
    return { page, context, violations, axe, axeInBothThemes };
  }

  async function openAs(key: string, path: string, given: WindowOptions = {}): Promise<TestWindow> {
    const { beside, load, colorScheme = "light", viewport = SIZE, ...others } = given;
    const options = JSON.stringify(others);
    const isReusable = last?.options === options && !last.window.page.isClosed() && !beside;
    const earlier = isReusable ? last : undefined;
    const window = earlier?.window ?? (await open({ ...others, colorScheme, viewport, beside }));
    const { page, context } = window;
    if (!beside) last = { window, key, options };
    if (earlier) {
      await closeAllBut(context);
      window.violations.length = 0;
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize(viewport!);
      await page.evaluate("localStorage.clear()");
    }
    if (earlier?.key === key && !load) {
      // A page that is shown already would keep its state.
      await goTo(page, "/none");
      await goTo(page, `/${path}`);
      return window;
    }
    // Signing in on the page takes a quarter of a second, and has tests of its own.
    const answer = await context.request.post(`${origin}/v1/session`, { data: { key } });
    if (!answer.ok()) throw new Error(await answer.text());
    await page.goto(`${origin}/${path}`);
    await page.getByRole("navigation", { name: "Pages" }).waitFor();
    return window;
  }

  return {
    open,
    openAs,
    close: () => browser.close(),
  };
}

async function violationsOf(page: Page): Promise<string[]> {
  // Evaluated by the debugger, which the content security policy does not concern.
  if (!(await page.evaluate("'axe' in window"))) await page.evaluate(AXE);
  const { violations } = (await page.evaluate("axe.run({ resultTypes: ['violations'] })")) as AxeResults;
  return violations.map(({ id, help, nodes }) => {
    const places = nodes.slice(0, 5).map(({ target, failureSummary }) => `${target.join(" ")}: ${failureSummary}`);
    return `${id}: ${help}\n  ${places.join("\n  ")}`;
  });
}

/** Signs in on the page that is shown, and waits for the navigation. */
export async function signIn(page: Page, key: string): Promise<void> {
  await page.getByLabel("API key").fill(key);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("navigation", { name: "Pages" }).waitFor();
}

/**
 * Shows another page as a link does, and waits for its heading. Loading it would take several times as long: the
 * program, Playwright's scripts and axe-core would be compiled anew.
 */
export async function goTo(page: Page, address: string): Promise<void> {
  const isOtherPage = await page.evaluate(`(() => {
    const { pathname } = location;
    document.querySelector("h1")?.setAttribute("data-earlier", "");
    history.pushState(null, "", ${JSON.stringify(address)});
    dispatchEvent(new PopStateEvent("popstate"));
    return location.pathname !== pathname;
  })()`);
  if (isOtherPage) await page.locator("h1[data-earlier]").waitFor({ state: "detached" });
  await page.getByRole("heading", { level: 1 }).waitFor();
}
