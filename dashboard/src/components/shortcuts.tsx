import { useEffect, useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import { pathTo } from "../data/address.ts";
import { useRights } from "../data/session.tsx";
import { Dialog } from "./dialog.tsx";
import { ENTRIES } from "./navigation.tsx";

/** The second key after `g`. */
const PAGES: Record<string, string> = {
  o: "",
  w: "webhooks",
  d: "deliveries",
  l: "live",
  b: "workbench",
  h: "hooks",
  k: "keys",
  s: "settings",
};
/** How long `g` waits for the second key. */
const CHORD_MS = 1_500;

/** Rows that `j` and `k` walk through have a link with this attribute, and so are reached by Tab as well. */
const ROW = "[data-row]";
/** The search field of a page, for `/`. */
const SEARCH = "[data-search]";
/** The button of the selected row or page that `r` presses. */
const RETRY = "[data-retry]";

/** Keys for the whole page: they press what the page has marked with `data-row`, `data-search` and `data-retry`. */
export function Shortcuts() {
  const { route } = useLocation();
  const { can } = useRights();
  const [isHelp, setHelp] = useState(false);
  useEffect(() => {
    let chordAt = 0;
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
      const isChord = Date.now() - chordAt < CHORD_MS;
      chordAt = 0;
      const page = PAGES[event.key];
      if (isChord && page !== undefined) {
        const entry = ENTRIES.find((one) => one.page === page);
        if (entry && can(...entry.scopes)) route(pathTo(page));
      } else if (event.key === "g") chordAt = Date.now();
      else if (event.key === "?") setHelp(true);
      else if (event.key === "/") focusFirst(SEARCH);
      else if (event.key === "j") move(1);
      else if (event.key === "k") move(-1);
      else if (event.key === "r") document.querySelector<HTMLElement>(`dialog[open] ${RETRY}, ${RETRY}`)?.click();
      else return;
      event.preventDefault();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [route, can]);
  if (!isHelp) return null;
  return (
    <Dialog title="Keys" onClose={() => setHelp(false)}>
      <dl class="facts">
        <dt>
          <kbd>/</kbd>
        </dt>
        <dd>Search</dd>
        <dt>
          <kbd>j</kbd> <kbd>k</kbd>
        </dt>
        <dd>Next and previous row</dd>
        <dt>
          <kbd>Enter</kbd>
        </dt>
        <dd>Open the row</dd>
        <dt>
          <kbd>r</kbd>
        </dt>
        <dd>Retry</dd>
        {ENTRIES.filter(({ scopes }) => can(...scopes)).flatMap(({ page, word }) => [
          <dt key={`${page}-key`}>
            <kbd>g</kbd> <kbd>{Object.keys(PAGES).find((key) => PAGES[key] === page)}</kbd>
          </dt>,
          <dd key={page}>{word}</dd>,
        ])}
      </dl>
    </Dialog>
  );
}

function isTyping({ target }: KeyboardEvent): boolean {
  return target instanceof HTMLElement && target.matches("input, select, textarea, [contenteditable]");
}

function focusFirst(selector: string): void {
  document.querySelector<HTMLElement>(selector)?.focus();
}

function move(by: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>(ROW)];
  const at = rows.indexOf(document.activeElement as HTMLElement);
  rows[at === -1 ? 0 : Math.min(rows.length - 1, Math.max(0, at + by))]?.focus();
}
