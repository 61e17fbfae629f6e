import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { countOf, formatCount } from "../data/format.ts";
import { type JsonLine, linesOf, matchesIn, visibleLines } from "../data/json-lines.ts";

/** Lines rendered at first, and lines added each time the reader asks for more: tens of thousands stop a browser. */
const FIRST_LINES = 400;
const MORE_LINES = 2_000;
/** From here on lines out of sight are not laid out. */
const MANY_LINES = 500;
/** Lines rendered after a match. */
const LINES_AFTER = 100;
/** Characters of one token rendered before the reader asks for more. */
const FIRST_CHARACTERS = 16_384;
/** Deeper lines are not indented further. */
const MAX_INDENT = 24;

/** JSON with folding and search. The characters are those of the payload; only the spaces between tokens are hidden. */
export function JsonView({ text }: { text: string }) {
  const lines = useMemo(() => linesOf(text), [text]);
  const [folded, setFolded] = useState<ReadonlySet<number>>(new Set<number>());
  const [limit, setLimit] = useState(FIRST_LINES);
  const [query, setQuery] = useState("");
  const [turn, setTurn] = useState(0);
  const found = useMemo(() => matchesIn(lines, query.trim()), [lines, query]);
  const current = found[turn % found.length];
  const isMatch = useMemo(() => new Set(found), [found]);
  // A match inside a folded part unfolds it.
  const effective = useMemo(() => {
    if (current === undefined) return folded;
    return new Set([...folded].filter((i) => current <= i || current > (lines[i]!.closedAt ?? i)));
  }, [folded, current, lines]);
  const visible = useMemo(() => visibleLines(lines, effective), [lines, effective]);
  const shown = visible.slice(0, Math.max(limit, current === undefined ? 0 : visible.indexOf(current) + LINES_AFTER));
  const isCut = limit === FIRST_LINES;
  const layout = shown.length > MANY_LINES ? "many" : "";
  const toggle = (i: number) => {
    const next = new Set(effective);
    if (!next.delete(i)) next.add(i);
    setFolded(next);
  };
  return (
    <div class="json">
      {lines.length > 10 && (
        <JsonSearch
          query={query}
          count={found.length}
          at={found.length === 0 ? 0 : (turn % found.length) + 1}
          onQuery={(next) => {
            setQuery(next);
            setTurn(0);
          }}
          onNext={() => setTurn(turn + 1)}
        />
      )}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard */}
      <section class={`payload-body ${layout}`} tabIndex={0} aria-label="Payload as JSON">
        {shown.map((i) => (
          <Line
            key={i}
            line={lines[i]!}
            isCut={isCut}
            isFolded={effective.has(i)}
            mark={i === current ? "current" : isMatch.has(i) ? "match" : ""}
            onToggle={() => toggle(i)}
          />
        ))}
      </section>
      {(shown.length < visible.length || (isCut && text.length > FIRST_CHARACTERS)) && (
        <div class="row">
          <button type="button" class="button" onClick={() => setLimit(shown.length + MORE_LINES)}>
            Show more
          </button>
          <span class="small quiet">
            {formatCount(shown.length)} of {formatCount(visible.length)} lines
          </span>
        </div>
      )}
    </div>
  );
}

interface JsonSearchProps {
  query: string;
  count: number;
  at: number;
  onQuery: (query: string) => void;
  onNext: () => void;
}

function JsonSearch({ query, count, at, onQuery, onNext }: JsonSearchProps) {
  return (
    <div class="row">
      <input
        type="search"
        aria-label="Search in the payload"
        placeholder="Search in the payload"
        value={query}
        onInput={({ currentTarget }) => onQuery(currentTarget.value)}
        onKeyDown={({ key }) => key === "Enter" && onNext()}
      />
      {query.trim() !== "" && (
        <>
          <span class="small quiet" role="status">
            {count === 0 ? "No line matches" : `Line ${at} of ${count}`}
          </span>
          {count > 1 && (
            <button type="button" class="button" onClick={onNext}>
              Next
            </button>
          )}
        </>
      )}
    </div>
  );
}

interface LineProps {
  line: JsonLine;
  isCut: boolean;
  isFolded: boolean;
  mark: "" | "match" | "current";
  onToggle: () => void;
}

function Line({ line: { depth, tokens, closedAt, size }, isCut, isFolded, mark, onToggle }: LineProps) {
  const ref = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (mark === "current") ref.current?.scrollIntoView({ block: "nearest" });
  }, [mark]);
  const entries = countOf(size ?? 0, "entry", "entries");
  const isLong = isCut && tokens.some(({ text }) => text.length > FIRST_CHARACTERS);
  return (
    <div ref={ref} class={`json-line ${mark}`} style={{ paddingLeft: `${Math.min(depth, MAX_INDENT) * 16 + 20}px` }}>
      {closedAt !== undefined && (
        <button
          type="button"
          class="fold"
          aria-expanded={!isFolded}
          aria-label={`${isFolded ? "Show" : "Hide"} ${entries}`}
          onClick={onToggle}
        >
          {isFolded ? "▸" : "▾"}
        </button>
      )}
      {tokens.map(({ kind, text }, i) => (
        <span key={i} class={`json-${text === ":" ? "colon" : kind}`}>
          {isLong ? text.slice(0, FIRST_CHARACTERS) : text}
        </span>
      ))}
      {isLong && <span class="quiet"> … cut here</span>}
      {isFolded && <span class="quiet small"> … {entries} </span>}
    </div>
  );
}
