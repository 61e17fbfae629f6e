import type { DeliveryDetail, Webhook } from "causeway-mqtt/client";
import { Copy } from "../../components/copy.tsx";
import { StateMark } from "../../components/state-mark.tsx";
import { Time } from "../../components/time.tsx";
import { curlOf } from "../../data/curl.ts";
import { formatDuration } from "../../data/format.ts";
import { causeOf } from "../../data/states.ts";

type Attempt = DeliveryDetail["attemptLog"][number];

interface AttemptsProps {
  delivery: Pick<DeliveryDetail, "attemptLog" | "message">;
  webhook: Webhook | undefined;
}

/** The log of the attempts, the newest first. */
export function Attempts({ delivery: { attemptLog, message }, webhook }: AttemptsProps) {
  if (attemptLog.length === 0) return <p class="quiet">There was no attempt yet.</p>;
  return (
    <ol class="attempts">
      {attemptLog
        .map((attempt, i) => (
          <li key={attempt.at}>
            <details open={i === attemptLog.length - 1}>
              <summary>
                <AttemptMark attempt={attempt} /> <span class="quiet">attempt {i + 1},</span>{" "}
                <Time at={attempt.at} exact /> <span class="quiet">in {formatDuration(attempt.durationMs)}</span>
              </summary>
              <AttemptDetail attempt={attempt} message={message} webhook={webhook} />
            </details>
          </li>
        ))
        .reverse()}
    </ol>
  );
}

export function AttemptMark({ attempt }: { attempt: Pick<Attempt, "error" | "statusCode"> }) {
  const { error, statusCode } = attempt;
  if (error === null) return <StateMark tone="delivered" word={statusCode ? `HTTP ${statusCode}` : "Done"} />;
  return <StateMark tone="failed" word={causeOf(attempt)} />;
}

interface AttemptDetailProps {
  attempt: Attempt;
  message: DeliveryDetail["message"];
  webhook: Webhook | undefined;
}

/** Request and response of an attempt. */
export function AttemptDetail({ attempt, message, webhook }: AttemptDetailProps) {
  const { request, responseBody, statusCode, detail, error } = attempt;
  const curl = curlOf(attempt, message, webhook);
  return (
    <div class="attempt section">
      {detail && <p class="mono">{detail}</p>}
      {request ? (
        <>
          <div class="section-head">
            <strong>Request</strong>
            {curl && <Copy text={curl} label="Copy as curl" />}
          </div>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard */}
          <section tabIndex={0} aria-label="Request" class="message-head">
            <strong>
              {request.method} {request.url}
            </strong>
            {Object.entries(request.headers).map(([name, value]) => (
              <div key={name}>
                <span class="quiet">{name}:</span> {value}
              </div>
            ))}
          </section>
        </>
      ) : (
        <p class="quiet small">
          {error === null
            ? "The request of a first attempt that succeeds is not kept."
            : "No request was made, or this key may not see it."}
        </p>
      )}
      {statusCode !== null && (
        <>
          <strong>Response {statusCode}</strong>
          {responseBody ? <pre class="response">{responseBody}</pre> : <p class="quiet small">No body was kept.</p>}
        </>
      )}
    </div>
  );
}
