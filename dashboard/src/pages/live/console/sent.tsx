import { signal } from "@preact/signals";
import { StateMark, type Tone } from "../../../components/state-mark.tsx";
import { Time } from "../../../components/time.tsx";
import { pathTo } from "../../../data/address.ts";
import type { AskFields, PublishFields } from "./message-form.ts";

export interface Sent {
  at: number;
  kind: "publish" | "ask";
  fields: PublishFields | AskFields;
  tone: Tone;
  /** The outcome in words. */
  words: string;
  /** The id of a stored message or request, which has a page. */
  id?: string | undefined;
}

const MAX_SENT = 20;

/** The last things sent from this tab; nowhere else, because payloads can be secrets. */
const sent = signal<Sent[]>([]);

export function recordSent(one: Omit<Sent, "at">): void {
  sent.value = [{ ...one, at: Date.now() }, ...sent.value].slice(0, MAX_SENT);
}

export function SentList({ kind, onAgain }: { kind: Sent["kind"]; onAgain: (fields: Sent["fields"]) => void }) {
  const shown = sent.value.filter((one) => one.kind === kind);
  if (shown.length === 0) return null;
  return (
    <section class="section">
      <h2>Sent from this tab</h2>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard */}
      <section class="table-wrap short" tabIndex={0} aria-label="Sent from this tab">
        <table class="table">
          <thead>
            <tr>
              <th scope="col">Sent</th>
              <th scope="col">Topic</th>
              <th scope="col">Outcome</th>
              <th scope="col">Repeat</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((one) => (
              <tr key={one.at}>
                <td>
                  <Time at={one.at} />
                </td>
                <td class="mono">{one.fields.topic}</td>
                <td class="wide">
                  <StateMark tone={one.tone} word="" /> {one.words}{" "}
                  {one.id && <a href={pathTo(`messages/${one.id}`)}>Follow it</a>}
                </td>
                <td>
                  <button type="button" class="button plain" onClick={() => onAgain(one.fields)}>
                    Fill in again
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </section>
  );
}
