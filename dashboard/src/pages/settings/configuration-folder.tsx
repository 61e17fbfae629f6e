import type { Status } from "causeway-mqtt/client";
import { StateMark } from "../../components/state-mark.tsx";
import { Time } from "../../components/time.tsx";
import { countOf, formatCount } from "../../data/format.ts";

type Folder = NonNullable<Status["configuration"]>;

const STATES = {
  applying: { tone: "live", word: "Being applied" },
  applied: { tone: "delivered", word: "Applied" },
  partly: { tone: "failed", word: "Partly applied" },
} as const;

/** How the bridge applied the documents of CONFIG_DIR at its start. */
export function ConfigurationFolder({ configuration }: { configuration: Folder }) {
  const { folder, state, appliedAt, documents, created, updated, unchanged, refused } = configuration;
  return (
    <section class="panel section" aria-label="Configuration folder">
      <h2>Configuration folder</h2>
      <dl class="facts">
        <dt>Folder</dt>
        <dd class="mono">{folder}</dd>
        <dt>State</dt>
        <dd>
          <StateMark {...STATES[state]} />
          {appliedAt && (
            <span class="quiet">
              {" "}
              <Time at={appliedAt} />
            </span>
          )}
        </dd>
        <dt>Documents</dt>
        <dd>
          {countOf(documents, "document")}: {formatCount(created)} created, {formatCount(updated)} changed,{" "}
          {formatCount(unchanged)} unchanged, {formatCount(refused.length)} refused
        </dd>
      </dl>
      {refused.length > 0 && (
        <ul class="notice failed">
          {refused.map(({ kind, identity, code, detail }) => (
            <li key={`${kind} ${identity}`}>
              <strong>
                {kind} {identity}
              </strong>
              : {detail} <small class="quiet">code {code}</small>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
