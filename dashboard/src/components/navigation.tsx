import { useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import { BASE, pathTo } from "../data/address.ts";
import { isUtc } from "../data/clock.ts";
import { type Scope, useRights, useSignOut } from "../data/session.tsx";
import { setTheme, THEMES, type Theme, theme } from "../data/theme.ts";
import { Dialog } from "./dialog.tsx";

interface Entry {
  page: string;
  word: string;
  /** The key needs one of these scopes to see the page. */
  scopes: Scope[];
}

export const ENTRIES: readonly Entry[] = [
  { page: "", word: "Overview", scopes: ["view", "admin", "webhooks"] },
  { page: "webhooks", word: "Webhooks", scopes: ["view", "webhooks"] },
  { page: "deliveries", word: "Deliveries", scopes: ["view", "webhooks"] },
  { page: "live", word: "Live", scopes: ["read", "publish"] },
  { page: "workbench", word: "Workbench", scopes: ["webhooks"] },
  { page: "hooks", word: "Hooks", scopes: ["publish", "admin"] },
  { page: "keys", word: "Keys", scopes: ["admin"] },
  { page: "settings", word: "Settings", scopes: ["view", "admin", "webhooks", "read", "publish"] },
];

const WORDS: Record<Theme, string> = { system: "System theme", light: "Light theme", dark: "Dark theme" };

/** The bar of a phone has room for this many entries; of more, the last ones are behind a button. */
const BAR = 5;

/** The pages that the key may see. A key with fewer rights sees fewer entries, not disabled ones. */
export function Navigation() {
  const { can, name, branding } = useRights();
  const { path } = useLocation();
  const signOut = useSignOut();
  const [isMore, setMore] = useState(false);
  const current = path.slice(BASE.length).split("/")[0];
  const entries = ENTRIES.filter(({ scopes }) => can(...scopes));
  const inBar = entries.length > BAR ? BAR - 1 : BAR;
  const rest = entries.slice(inBar);
  return (
    <nav class="nav" aria-label="Pages">
      <a class="brand" href={pathTo("")}>
        {branding?.logo ? (
          <img class="logo" src={branding.logo} alt="Overview" />
        ) : (
          <>
            <img src="icon.svg" width="20" height="20" alt="" />
            Causeway
          </>
        )}
      </a>
      <ul>
        {entries.map((entry, i) => (
          <li key={entry.page} class={i >= inBar ? "rest" : undefined}>
            <PageLink {...entry} current={current} />
          </li>
        ))}
        {rest.length > 0 && (
          <li class="more">
            <button
              type="button"
              aria-haspopup="dialog"
              class={rest.some(({ page }) => page === current) ? "current" : undefined}
              onClick={() => setMore(true)}
            >
              More
            </button>
          </li>
        )}
      </ul>
      {isMore && (
        <Dialog title="More pages" onClose={() => setMore(false)}>
          <ul class="pages">
            {rest.map((entry) => (
              <li key={entry.page}>
                <PageLink {...entry} current={current} onFollow={() => setMore(false)} />
              </li>
            ))}
          </ul>
        </Dialog>
      )}
      <div class="foot">
        <a href={pathTo("docs")} target="_blank" rel="noreferrer">
          API documentation
        </a>
        <label class="row small">
          <input type="checkbox" checked={isUtc.value} onChange={(e) => (isUtc.value = e.currentTarget.checked)} />
          Times in UTC
        </label>
        <select
          aria-label="Theme"
          value={theme.value}
          onChange={({ currentTarget }) => setTheme(currentTarget.value as Theme)}
        >
          {THEMES.map((one) => (
            <option value={one} key={one}>
              {WORDS[one]}
            </option>
          ))}
        </select>
        <div class="small quiet">Signed in as {name}</div>
        <button type="button" class="button" onClick={() => void signOut()}>
          Sign out
        </button>
      </div>
    </nav>
  );
}

function PageLink({ page, word, current, onFollow }: Entry & { current: string | undefined; onFollow?: () => void }) {
  return (
    <a href={pathTo(page)} aria-current={page === current ? "page" : undefined} onClick={onFollow}>
      {word}
    </a>
  );
}
