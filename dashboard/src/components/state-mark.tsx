import type { Tone } from "../data/states.ts";

export type { Tone };

const SHAPES: Record<Tone, preact.JSX.Element> = {
  delivered: <path d="M2 5.5 4 8l4-6" fill="none" stroke="currentColor" stroke-width="1.8" />,
  retrying: <path d="M8 5a3 3 0 1 1-1-2.2M7.5.8v2.4H5" fill="none" stroke="currentColor" stroke-width="1.5" />,
  failed: <path d="m2 2 6 6M8 2 2 8" stroke="currentColor" stroke-width="1.8" />,
  paused: <path d="M3 2v6M7 2v6" stroke="currentColor" stroke-width="1.8" />,
  live: <circle cx="5" cy="5" r="3" fill="currentColor" />,
};

export function StateMark({ tone, word }: { tone: Tone; word: string }) {
  return (
    <span class={`state ${tone}`}>
      <svg width="10" height="10" viewBox="0 0 10 10" aria-hidden="true">
        {SHAPES[tone]}
      </svg>
      {word}
    </span>
  );
}
