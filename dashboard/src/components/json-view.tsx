import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { type JsonLine, linesOf, matchesIn, visibleLines } from "./json-lines.ts";

/** Lines rendered before the reader asks for all. */
const FIRST_LINES = 400;
/** Characters of one line rendered before the reader asks for all. */
const FIRST_CHARACTERS = 16_384;
/** Deeper lines are not indented further. */
const MAX_INDENT = 24;

/** JSON with folding and search. The characters are those of the payload; only the spaces between tokens are hidden. */
export function JsonView({ text }: { text: string }) {
  const lines = useMemo(() => linesOf(text), [text]);
  const [folded, setFolded] = useState<ReadonlySet<number>>(new Set<number>());
  const [isAll, setAll] = useState(false);
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
  const shown = isAll || (current ?? 0) >= FIRST_LINES ? visible : visible.slice(0, FIRST_LINES);
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
      <section class="payload-body" tabIndex={0} aria-label="Payload as JSON">
        {shown.map((i) => (
          <Line
            key={i}
            line={lines[i]!}
            isCut={!isAll}
            isFolded={effective.has(i)}
            mark={i === current ? "current" : isMatch.has(i) ? "match" : ""}
            onToggle={() => toggle(i)}
          />
        ))}
      </section>
      {!isAll && (shown.length < visible.length || text.length > FIRST_CHARACTERS) && (
        <button type="button" class="button" onClick={() => setAll(true)}>
          Show all {lines.length.toLocaleString("en")} lines
        </button>
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
  const isLong = isCut && tokens.some(({ text }) => text.length > FIRST_CHARACTERS);
  return (
    <div ref={ref} class={`json-line ${mark}`} style={{ paddingLeft: `${Math.min(depth, MAX_INDENT) * 16 + 20}px` }}>
      {closedAt !== undefined && (
        <button
          type="button"
          class="fold"
          aria-expanded={!isFolded}
          aria-label={isFolded ? `Show ${size} entries` : `Hide ${size} entries`}
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
      {isFolded && <span class="quiet small"> … {size === 1 ? "1 entry" : `${size} entries`} </span>}
    </div>
  );
}
