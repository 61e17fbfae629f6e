import { Choices } from "../../components/choices.tsx";
import { Time } from "../../components/time.tsx";
import { isUtc } from "../../data/clock.ts";
import { useRights, useSignOut } from "../../data/session.tsx";
import { setTheme, THEMES, type Theme, theme } from "../../data/theme.ts";
import { filterWords, SCOPE_WORDS } from "./words.ts";
import "./settings.css";

const WORDS: Record<Theme, string> = { system: "System", light: "Light", dark: "Dark" };

/** Settings of this browser alone: how pages look, and the key that is signed in. */
export function Browser() {
  const { name, scopes, publish, read, expiresAt } = useRights();
  const signOut = useSignOut();
  return (
    <section class="panel section" aria-label="This browser">
      <h2>This browser</h2>
      <dl class="facts">
        <dt>Theme</dt>
        <dd>
          <Choices
            label="Theme of the pages"
            value={theme.value}
            options={THEMES.map((one) => [one, WORDS[one]] as const)}
            onChange={setTheme}
          />
        </dd>
        <dt>Times</dt>
        <dd>
          <Choices
            label="Zone of times"
            value={isUtc.value ? "utc" : "local"}
            options={[
              ["local", "Local"],
              ["utc", "UTC"],
            ]}
            onChange={(zone) => {
              isUtc.value = zone === "utc";
            }}
          />
        </dd>
        <dt>Signed in as</dt>
        <dd>
          {name}
          {expiresAt && (
            <span class="quiet">
              , until <Time at={expiresAt} exact />
            </span>
          )}
        </dd>
        <dt>May</dt>
        <dd>
          <ul>
            {scopes.map((scope) => (
              <li key={scope}>
                <code>{scope}</code>: {SCOPE_WORDS[scope]}
              </li>
            ))}
          </ul>
        </dd>
        <dt>Publishes to</dt>
        <dd>{filterWords(scopes.includes("publish") ? publish : [])}</dd>
        <dt>Reads</dt>
        <dd>{filterWords(read)}</dd>
      </dl>
      <div>
        <button type="button" class="button" onClick={() => void signOut()}>
          Sign out
        </button>
      </div>
    </section>
  );
}
