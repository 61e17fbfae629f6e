import { StateMark } from "../../components/state-mark.tsx";
import { isUtc, now } from "../../data/clock.ts";
import { formatDuration, formatRelative } from "../../data/format.ts";
import type { Webhooks } from "../../data/webhook-names.ts";
import { AttemptDetail, AttemptMark } from "../deliveries/attempts.tsx";
import { exactClock, type Step } from "./timeline.ts";

/** A time line. Attempts open to their request and response. */
export function Steps({ steps, webhooks }: { steps: readonly Step[]; webhooks?: Webhooks }) {
  return (
    <ol class="steps">
      {steps.map((step, i) => (
        <li key={`${step.at}-${i}`} class={step.isPlanned ? "planned" : ""}>
          <time dateTime={step.at} title={step.at} class="quiet">
            {exactClock(step.at, now.value, isUtc.value)}
          </time>
          {step.attempt ? (
            <details>
              <summary>
                <strong>{step.title}</strong> <AttemptMark attempt={step.attempt.log} />{" "}
                <span class="quiet">
                  attempt {step.attempt.number}, {formatDuration(step.attempt.log.durationMs)}
                </span>
              </summary>
              <AttemptDetail
                attempt={step.attempt.log}
                message={step.attempt.delivery.message}
                webhook={webhooks?.get(step.attempt.delivery.webhookId)}
              />
            </details>
          ) : (
            <div>
              <StateMark tone={step.tone} word={step.title} /> {step.text && <span>{step.text}</span>}{" "}
              {step.isPlanned && <span class="quiet">{formatRelative(Date.parse(step.at), now.value)}</span>}
            </div>
          )}
        </li>
      ))}
    </ol>
  );
}
