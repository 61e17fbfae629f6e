import type { Preview } from "causeway-mqtt/client";
import { diffLines, linesOf } from "../webhooks/messages/json-lines.ts";
import { isProblem, type PreviewResult } from "../webhooks/messages/preview.ts";
import { RequestView } from "../webhooks/messages/request-view.tsx";
import type { Bench } from "./use-bench.ts";

const MAX_LINES = 300;

/** The request that the selected message becomes, and how the edit changed it. */
export function Result({ bench }: { bench: Bench }) {
  const { selected, resultOf, before, isEdited, preview } = bench;
  const result = selected && resultOf(selected);
  return (
    <section class="section" aria-labelledby="result-title">
      <h2 id="result-title">Request</h2>
      {!selected && <p class="quiet">Choose a message to see its request.</p>}
      {result && (
        <div class={preview.isChecking ? "section is-checking" : "section"} aria-live="polite">
          {isEdited && before && <Difference before={before} after={result} />}
          <RequestView result={result} />
        </div>
      )}
    </section>
  );
}

function Difference({ before, after }: { before: PreviewResult; after: PreviewResult }) {
  const lines = diffLines(describe(before), describe(after));
  const isSame = lines.every(({ kind }) => kind === "same");
  return (
    <figure class="section">
      <figcaption>
        <h3>Against the result before the edit</h3>
      </figcaption>
      {isSame ? (
        <p class="quiet">The edit changes nothing for this message.</p>
      ) : (
        <div class="diff mono">
          {lines.slice(0, MAX_LINES).map(({ kind, text }, i) => (
            <div class={kind} key={i}>
              {kind !== "same" && <span class="visually-hidden">{kind}: </span>}
              {text}
            </div>
          ))}
        </div>
      )}
    </figure>
  );
}

/** The outcome and the body, without headers: they carry the time and a new id in each preview. */
function describe(result: PreviewResult): string[] {
  if (isProblem(result)) return [result.detail];
  const { outcome, error, request } = result;
  if (!request) return [outcome === "filtered" ? "filtered out" : (error ?? outcome)];
  return [`${request.method} ${request.url}`, ...bodyLines(request)];
}

/** A preview makes up the id and the time of the event, which differ each time. */
function bodyLines({ body, bodyBase64 }: NonNullable<Preview["request"]>): string[] {
  if (bodyBase64 !== undefined) return [bodyBase64];
  return linesOf((body ?? "").replace(/"id":"msg_[^"]*"/, '"id":"msg_…"').replace(/"time":"[^"]*"/, '"time":"…"'));
}
