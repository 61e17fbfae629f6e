/** Chromium, driven by Playwright, with what the dashboard must never do recorded. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import { type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { findProgram } from "./requirements.ts";
import { scaled } from "./speed.ts";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WAIT_MS = 15_000;

export interface WindowOptions extends BrowserContextOptions {
  /** Whether the earlier windows stay open. Otherwise they close: they would go on refreshing their pages. */
  beside?: boolean;
}

export interface TestBrowser {
  /** Opens a window with cookies and storage of its own. */
  open(options?: WindowOptions): Promise<TestWindow>;
  /** Opens one with the session of a key, and shows a page. @param path without the first slash */
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
  async function open({ beside = false, ...options }: WindowOptions = {}): Promise<TestWindow> {
    if (!beside) await Promise.all(browser.contexts().map((earlier) => earlier.close()));
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
  return {
    open,
    async openAs(key, path, options) {
      const window = await open(options);
      // Signing in on the page takes a quarter of a second, and has tests of its own.
      const answer = await window.context.request.post(`${origin}/v1/session`, { data: { key } });
      if (!answer.ok()) throw new Error(await answer.text());
      await window.page.goto(`${origin}/${path}`);
      await window.page.getByRole("navigation", { name: "Pages" }).waitFor();
      return window;
    },
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
