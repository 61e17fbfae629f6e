import type { Status } from "causeway-mqtt/client";
import { useState } from "preact/hooks";
import { Field } from "../../components/field.tsx";
import { countOf } from "../../data/format.ts";
import { settingsOf } from "./words.ts";

/** The settings in effect, which only keys with `admin` get. */
export function Configuration({ status: { settings } }: { status: Status }) {
  const [search, setSearch] = useState("");
  if (!settings) return null;
  const all = settingsOf(settings);
  const shown = all.filter(({ name, value = "" }) => `${name} ${value}`.toLowerCase().includes(search.toLowerCase()));
  return (
    <section class="section" aria-label="Configuration">
      <div class="section-head">
        <div>
          <h2>Configuration</h2>
          <p class="quiet">Environment variables in effect. A secret is shown as "set".</p>
        </div>
        <Field label="Search the variables">
          {(props) => (
            <input
              {...props}
              type="search"
              data-search
              value={search}
              onInput={({ currentTarget }) => setSearch(currentTarget.value)}
            />
          )}
        </Field>
      </div>
      {shown.length === 0 ? (
        <p class="quiet">No variable of {countOf(all.length, "variable")} matches.</p>
      ) : (
        <div class="table-wrap settings-table">
          <table class="table">
            <thead>
              <tr>
                <th scope="col">Variable</th>
                <th scope="col">Value</th>
              </tr>
            </thead>
            <tbody>
              {shown.map(({ name, value, isMasked }) => (
                <tr key={name}>
                  <td class="mono">{name}</td>
                  <td class="wide">
                    {value === undefined && <span class="quiet">not set</span>}
                    {value !== undefined && (isMasked ? <em>set</em> : <span class="mono">{value}</span>)}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
