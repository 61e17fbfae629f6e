import type { Preview, Problem } from "causeway-mqtt/client";
import { StateMark, type Tone } from "../../../components/state-mark.tsx";
import { linesOf } from "./json-lines.ts";
import { isProblem, type PreviewResult } from "./preview.ts";

const MAX_LINES = 300;

/** The outcome of a preview as a mark. */
export function outcomeMark(result: PreviewResult): { tone: Tone; word: string } {
  if (isProblem(result)) return { tone: "failed", word: "Refused" };
  if (result.outcome === "filtered") return { tone: "paused", word: "Filtered out" };
  if (result.outcome !== "sent") return { tone: "failed", word: "Fails" };
  return { tone: "delivered", word: result.request?.url === "" ? "Kept" : "Sent" };
}

/** The request that a message becomes, or why it becomes none. */
export function RequestView({ result }: { result: PreviewResult }) {
  return (
    <div class="section request">
      <StateMark {...outcomeMark(result)} />
      <Reason result={result} />
      {!isProblem(result) && result.request && <Request request={result.request} />}
    </div>
  );
}

function Reason({ result }: { result: Preview | Problem }) {
  if (isProblem(result)) return <p>{result.detail}</p>;
  if (result.outcome === "filtered")
    return <p class="quiet">The filter is not true for this message. Nothing is sent.</p>;
  return result.error ? <p class="mono">{result.error}</p> : null;
}

function Request({ request }: { request: NonNullable<Preview["request"]> }) {
  const { method, url, headers, body, bodyBase64 } = request;
  const lines = body === undefined ? [] : linesOf(body);
  // A pull webhook makes no call: its consumers take the event.
  if (url === "") return <pre>{lines.slice(0, MAX_LINES).join("\n")}</pre>;
  return (
    <>
      <p class="mono request-line">
        <strong>{method}</strong> {url}
      </p>
      <details>
        <summary class="headers">{Object.keys(headers).length} headers</summary>
        <dl class="facts mono">
          {Object.entries(headers).flatMap(([name, value]) => [
            <dt key={`${name}-name`}>{name}</dt>,
            <dd key={name}>{value}</dd>,
          ])}
        </dl>
      </details>
      {bodyBase64 !== undefined && <p class="quiet">Binary body, in base64:</p>}
      <pre>{bodyBase64 ?? lines.slice(0, MAX_LINES).join("\n")}</pre>
      {lines.length > MAX_LINES && <p class="quiet small">{lines.length - MAX_LINES} more lines are not shown.</p>}
    </>
  );
}
