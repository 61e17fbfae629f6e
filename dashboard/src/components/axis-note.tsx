import { isUtc } from "../data/clock.ts";
import { formatClock } from "../data/format.ts";

interface AxisNoteProps {
  /** All points of the range. */
  all: readonly { at: string }[];
  /** The ones that are shown. */
  shown: readonly { at: string }[];
}

/** Says that a chart begins later than its range, because nothing happened before. */
export function AxisNote({ all, shown }: AxisNoteProps) {
  const begin = shown[0];
  if (!begin || begin.at === all[0]?.at) return null;
  return (
    <p class="small quiet axis-note">
      The axis begins at {formatClock(Date.parse(begin.at), Date.now(), isUtc.value)}: nothing happened earlier in this
      range.
    </p>
  );
}
