/** Light, dark or as the system has it; the only setting that the browser keeps. */
import { signal } from "@preact/signals";

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const NAME = "causeway-theme";

export const theme = signal<Theme>("system");

export function startTheme(): void {
  setTheme(THEMES.find((one) => one === stored()) ?? "system");
}

export function setTheme(next: Theme): void {
  theme.value = next;
  if (next === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem(NAME, next);
  } catch {
    // Storage is switched off: the choice lasts until the page is loaded again.
  }
}

function stored(): string | null {
  try {
    return localStorage.getItem(NAME);
  } catch {
    return null;
  }
}
