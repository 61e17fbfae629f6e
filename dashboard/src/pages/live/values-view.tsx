import { useMemo, useState } from "preact/hooks";
import { Sparkline } from "../../components/sparkline.tsx";
import { isUtc, now } from "../../data/clock.ts";
import { countOf, formatClock } from "../../data/format.ts";
import { textOf } from "./event-content.ts";
import type { TailMessage } from "./tail.ts";
import { changesBetween, numberAt, numberPaths, spread } from "./values.ts";

interface ValuesProps {
  message: TailMessage;
  /** The last messages of the topic, oldest first. */
  history: readonly TailMessage[];
}

/** Changes of the message against the one before it. */
export function Changes({ message, history }: ValuesProps) {
  const at = history.findIndex(({ number }) => number === message.number);
  // Remembered: the one before leaves the history first.
  const previous = useMemo(() => (at > 0 ? history[at - 1] : undefined), [message]);
  const changes = useMemo(
    () => (previous ? changesBetween(textOf(previous.event), textOf(message.event)) : []),
    [previous, message],
  );
  if (!previous) return <p class="quiet">There is no earlier message on this topic to compare with.</p>;
  if (changes.length === 0) return <p class="quiet">The same payload as before.</p>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
    <section class="table-wrap short" tabIndex={0} aria-label="Changes">
      <table class="table">
        <thead>
          <tr>
            <th scope="col">Member</th>
            <th scope="col">Before</th>
            <th scope="col">Now</th>
          </tr>
        </thead>
        <tbody>
          {changes.map(({ path, before, after }) => (
            <tr key={path}>
              <td class="mono">{path === "" ? "Payload" : path}</td>
              <td class="mono wide">{before ?? <span class="quiet">absent</span>}</td>
              <td class="mono wide">{after ?? <span class="quiet">absent</span>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** A line of one number of the topic's payloads. */
export function Numbers({ message, history }: ValuesProps) {
  const [wanted, setWanted] = useState<string>();
  const paths = useMemo(() => numberPaths(textOf(message.event)), [message]);
  const path = wanted !== undefined && paths.includes(wanted) ? wanted : (paths[0] ?? "");
  // Each payload is read once, not for every drawing.
  const read = useMemo(() => new WeakMap<TailMessage, number | null>(), [path]);
  if (paths.length === 0) return null;
  const values = history.flatMap((one) => {
    if (!read.has(one)) read.set(one, numberAt(textOf(one.event), path) ?? null);
    const value = read.get(one);
    return value == null ? [] : [value];
  });
  const [min, max] = [Math.min(...values), Math.max(...values)];
  return (
    <div class="row">
      {paths.length > 1 ? (
        <select aria-label="Number" value={path} onChange={({ currentTarget }) => setWanted(currentTarget.value)}>
          {paths.map((one) => (
            <option key={one} value={one}>
              {one}
            </option>
          ))}
        </select>
      ) : (
        <span class="mono">{path === "" ? "Value" : path}</span>
      )}
      {values.length > 1 && (
        <>
          <Sparkline
            values={spread(values)}
            label={`${path || "Value"}: ${countOf(values.length, "value")} between ${min} and ${max}`}
            width={200}
            height={32}
          />
          <span class="small quiet">
            {min} to {max}
          </span>
        </>
      )}
    </div>
  );
}

const SHOWN = 20;

/** The last messages of the topic, newest first. */
export function History({ message, history, onSelect }: ValuesProps & { onSelect: (message: TailMessage) => void }) {
  const [isAll, setAll] = useState(false);
  const shown = history.slice(isAll ? 0 : -SHOWN).reverse();
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard */}
      <section class="table-wrap short" tabIndex={0} aria-label="Last messages of the topic">
        <table class="table">
          <thead>
            <tr>
              <th scope="col">Time</th>
              <th scope="col">Payload</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((one) => (
              <tr key={one.number} aria-selected={one.number === message.number}>
                <td>
                  <button type="button" class="button plain" onClick={() => onSelect(one)}>
                    {formatClock(one.at, now.peek(), isUtc.value)}
                  </button>
                </td>
                <td class="mono clip">{one.preview}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      {!isAll && history.length > SHOWN && (
        <div>
          <button type="button" class="button" onClick={() => setAll(true)}>
            Show all {history.length}
          </button>
        </div>
      )}
    </>
  );
}
