/** Uses a page by keyboard alone, as a person without a mouse does, and looks after the focus at each step. */
import assert from "node:assert/strict";
import type { Locator, Page } from "playwright-core";

/** More stops than the longest page of the tests has. */
const MAX_STOPS = 150;

/** Describes the element with the focus, and what is wrong with the way it is shown. */
const STOP = `(() => {
  const element = document.activeElement;
  // Past the last element the focus leaves the page, in a window for the controls of the browser.
  if (!element || element === document.body) return { name: "outside", faults: [], isOutside: true };
  const faults = [];
  const { width, height, top, bottom, left, right } = element.getBoundingClientRect();
  if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) faults.push("is not rendered");
  if (width < 1 || height < 1) faults.push("has no size");
  if (bottom <= 0 || right <= 0 || top >= innerHeight || left >= innerWidth) faults.push("is out of sight");
  const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
  const hasOutline = outlineStyle !== "none" && Number.parseFloat(outlineWidth) > 0;
  if (!hasOutline && boxShadow === "none") faults.push("does not show its focus");
  const words = element.getAttribute("aria-label") ?? element.labels?.[0]?.textContent ?? element.textContent;
  return { name: element.localName + " " + words.trim().slice(0, 60), faults, isOutside: false };
})()`;

interface Stop {
  name: string;
  faults: string[];
  isOutside: boolean;
}

export class Keyboard {
  readonly #page: Page;

  constructor(page: Page) {
    this.#page = page;
  }

  async press(...keys: string[]): Promise<void> {
    for (const key of keys) await this.#page.keyboard.press(key);
  }

  /** Presses Tab until the element has the focus. Each stop on the way must be visible and show its focus. */
  async tabTo(target: Locator, key: "Tab" | "Shift+Tab" = "Tab"): Promise<void> {
    await target.waitFor();
    const passed: string[] = [];
    while (!(await hasFocus(target))) {
      assert.ok(passed.length < MAX_STOPS, `${key} does not reach ${target}, but ${passed.slice(-40).join(" | ")}`);
      passed.push((await this.#step(key)).name);
    }
  }

  /** Goes to the element, and presses it. */
  async activate(target: Locator, key: "Enter" | "Space" = "Enter"): Promise<void> {
    await this.tabTo(target);
    await this.press(key);
  }

  /** Goes to the field, and types in place of its text. */
  async fill(field: Locator, text: string): Promise<void> {
    await this.tabTo(field);
    await this.press("ControlOrMeta+A");
    await this.#page.keyboard.type(text);
  }

  /**
   * Opens a dialog and sees the focus go into it; stays in it for a round by Tab; closes it by Escape, which gives the
   * focus back; and opens it again.
   */
  async openDialog(opener: Locator, name: string): Promise<Locator> {
    const dialog = this.#page.getByRole("dialog", { name });
    await this.activate(opener);
    await this.walkRound(dialog);
    await this.press("Escape");
    // A closed dialog has no role, and yet the page learns of its end a moment later.
    await this.#page.locator("dialog").filter({ hasText: name }).waitFor({ state: "detached" });
    await this.assertFocus(opener, `after ${name} was closed by Escape`);
    await this.press("Enter");
    await dialog.waitFor();
    return dialog;
  }

  /** The focus is in the dialog, and Tab comes back to the same element without having left the dialog. */
  async walkRound(dialog: Locator): Promise<void> {
    await dialog.waitFor();
    assert.ok(await containsFocus(dialog), `${dialog} has the focus`);
    // The focus may begin where Tab does not lead to, such as at the text that took the place of a form.
    const passed = [await this.#step("Tab")];
    if (passed[0]!.isOutside) passed[0] = await this.#step("Tab");
    // A dialog whose content is still loading may have the focus itself.
    const first = (await this.#page.locator(":focus").elementHandle())!;
    do {
      const names = passed.map(({ name }) => name).join(" | ");
      assert.ok(await containsFocus(dialog), `Tab leaves ${dialog}: ${names}`);
      assert.ok(passed.length < MAX_STOPS, `Tab does not come round in ${dialog}: ${names}`);
      let stop = await this.#step("Tab");
      // Twice in a row would mean that the dialog is left.
      if (stop.isOutside) stop = await this.#step("Tab");
      passed.push(stop);
    } while (!(await first.evaluate((element) => element === element.ownerDocument.activeElement)));
  }

  async assertFocus(target: Locator, when: string): Promise<void> {
    const { name } = await this.#stop();
    assert.ok(await hasFocus(target), `${when} the focus is at ${name} instead of ${target}`);
  }

  async #step(key: string): Promise<Stop> {
    await this.press(key);
    const stop = await this.#stop();
    assert.deepEqual(stop.faults, [], `${stop.name} at ${this.#page.url()}`);
    return stop;
  }

  #stop(): Promise<Stop> {
    return this.#page.evaluate(STOP) as Promise<Stop>;
  }
}

function hasFocus(target: Locator): Promise<boolean> {
  return target.evaluate((element) => element === element.ownerDocument.activeElement);
}

function containsFocus(target: Locator): Promise<boolean> {
  return target.evaluate((element) => element.contains(element.ownerDocument.activeElement));
}
