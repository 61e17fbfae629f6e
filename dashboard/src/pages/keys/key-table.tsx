import type { Key } from "causeway-mqtt/client";
import { StateMark } from "../../components/state-mark.tsx";
import { Time } from "../../components/time.tsx";
import { now } from "../../data/clock.ts";
import { limitWords } from "./key-form.ts";

interface KeyTableProps {
  keys: readonly Key[];
  onRevoke: (key: Key) => void;
  onPortal: (key: Key) => void;
}

export function KeyTable({ keys, onRevoke, onPortal }: KeyTableProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
    <section class="table-wrap" tabIndex={0} aria-label="Keys">
      <table class="table">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Scopes</th>
            <th scope="col">May publish to</th>
            <th scope="col">May read</th>
            <th scope="col">Limit</th>
            <th scope="col">Last use</th>
            <th scope="col">Expires</th>
            <th scope="col">
              <span class="visually-hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {keys.map((key) => (
            <tr key={key.id}>
              <th scope="row" class="key-name">
                {key.name}
              </th>
              <td>{key.scopes.join(", ")}</td>
              <Filters filters={key.publish} />
              <Filters filters={key.read} />
              <td>{limitWords(key)}</td>
              <td>{key.lastUsedAt === null ? "never" : <Time at={key.lastUsedAt} />}</td>
              <td>
                <Expires at={key.expiresAt} />
              </td>
              <td class="acts">
                <button
                  type="button"
                  class="button"
                  aria-label={`Portal link for ${key.name}`}
                  onClick={() => onPortal(key)}
                >
                  Portal link
                </button>
                <button
                  type="button"
                  class="button danger"
                  data-row
                  aria-label={`Revoke ${key.name}`}
                  onClick={() => onRevoke(key)}
                >
                  Revoke
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

const SHOWN_FILTERS = 3;

function Filters({ filters }: { filters: readonly string[] }) {
  return (
    <td class="mono wide" title={filters.join("\n")}>
      {filters.length === 0 && "–"}
      {filters.slice(0, SHOWN_FILTERS).map((filter) => (
        <div key={filter}>{filter}</div>
      ))}
      {filters.length > SHOWN_FILTERS && `and ${filters.length - SHOWN_FILTERS} more`}
    </td>
  );
}

function Expires({ at }: { at: string | null }) {
  if (at === null) return <>never</>;
  if (Date.parse(at) <= now.value) return <StateMark tone="failed" word="Expired" />;
  return <Time at={at} />;
}
