import {
  checkHooks,
  checkWebhooks,
  type Finding,
  readyFindings,
  type Status,
  statusFindings,
} from "causeway-mqtt/client";
import { StateMark, type Tone } from "../../components/state-mark.tsx";
import { causeway } from "../../data/causeway.ts";
import { EVERY, useData } from "../../data/query.ts";
import { readClock } from "../../data/readiness.ts";
import { useRights } from "../../data/session.tsx";
import type { Check } from "../../data/states.ts";

const MARKS: Record<Finding["status"], { tone: Tone; word: string }> = {
  ok: { tone: "delivered", word: "Passes" },
  warning: { tone: "retrying", word: "Warns" },
  failed: { tone: "failed", word: "Fails" },
  skipped: { tone: "paused", word: "Skipped" },
};
const ORDER: Finding["status"][] = ["failed", "warning", "ok", "skipped"];

interface FindingsProps {
  checks: Record<string, Check> | undefined;
  status: Status | undefined;
}

/** The findings of `causeway doctor` that the bridge itself can tell, the worst first, each with what to do. */
export function Findings({ checks, status }: FindingsProps) {
  const { can } = useRights();
  const webhooks = useData(["findings", "webhooks"], () => checkWebhooks(causeway), {
    everyMs: EVERY.slow,
    enabled: can("view", "webhooks"),
  });
  const hooks = useData(["findings", "hooks"], () => checkHooks(causeway), {
    everyMs: EVERY.slow,
    enabled: can("publish", "admin"),
  });
  const clock = useData(["findings", "clock"], readClock, { everyMs: EVERY.slow });
  const found = [
    ...(checks ? readyFindings(checks) : []),
    ...(status ? statusFindings(status) : []),
    ...(clock.data ? [clock.data] : []),
    ...(webhooks.data ?? []),
    ...(hooks.data ?? []),
  ].filter(({ status: of }) => of !== "skipped");
  if (found.length === 0) return null;
  const sorted = found.sort((a, b) => ORDER.indexOf(a.status) - ORDER.indexOf(b.status));
  return (
    <section class="panel section" aria-label="Checks">
      <h2>Checks</h2>
      <ul class="checks">
        {sorted.map((finding, i) => (
          <li key={`${finding.check} ${finding.detail} ${i}`}>
            <StateMark {...MARKS[finding.status]} />
            <code>{finding.check}</code>
            <span>
              {finding.detail}
              {finding.advice !== undefined && <div class="quiet">{finding.advice}</div>}
            </span>
          </li>
        ))}
      </ul>
      <p class="quiet small">
        <code>causeway doctor</code> on the machine of the bridge also tries the broker, the ports and the disk.
      </p>
    </section>
  );
}
