/** Examines pages with axe-core in both themes and two widths. */
import type { TestWindow } from "../support/browser.ts";

const LOOKS = (["light", "dark"] as const).flatMap((colorScheme) =>
  [1280, 360].map((width) => ({ colorScheme, width })),
);

/** Pages without parameters; a heading appears when the code of the page is there. */
export const PAGES = [
  ...["", "webhooks", "webhooks/new", "workbench", "deliveries", "live"],
  ...["live?tab=tree", "live?tab=retained", "keys", "hooks", "settings"],
];

/** Each theme and each width once. */
export const TWO_LOOKS = [LOOKS[0]!, LOOKS[3]!];

/** Returns what is wrong with the page as it is shown now, in each look. @param state for the report */
export async function look({ page, axe }: TestWindow, state: string, looks = LOOKS): Promise<string[]> {
  const found: string[] = [];
  for (const { colorScheme, width } of looks) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await page.setViewportSize({ width, height: 800 });
    const violations = await axe();
    if (await page.evaluate("document.documentElement.scrollWidth > innerWidth")) violations.push("scrolls sideways");
    found.push(...violations.map((violation) => `${state}, ${colorScheme}, ${width} px: ${violation}`));
  }
  return found;
}
