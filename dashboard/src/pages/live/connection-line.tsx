import { ErrorNotice } from "../../components/error-notice.tsx";
import { StateMark } from "../../components/state-mark.tsx";
import { isUtc, now } from "../../data/clock.ts";
import { countOf, formatClock, formatDuration } from "../../data/format.ts";
import type { TailHandle } from "./use-tail.ts";

/** The state of the connection in words. */
export function ConnectionMark({ handle: { tail, version } }: { handle: TailHandle }) {
  version.value;
  const { connection, isPaused, skipped } = tail;
  if (connection.state === "connecting") return <StateMark tone="retrying" word="Connecting" />;
  if (connection.state === "lost") return <StateMark tone="retrying" word="Reconnecting" />;
  if (connection.state === "failed") return <StateMark tone="failed" word="Not connected" />;
  if (isPaused) return <StateMark tone="paused" word={`Paused, ${countOf(skipped, "message")} skipped`} />;
  return <StateMark tone="live" word="Live" />;
}

/** Messages that the reader misses, and the reason. */
export function ConnectionNotice({ handle: { tail, version, retry } }: { handle: TailHandle }) {
  version.value;
  const { connection, away } = tail;
  const clock = (at: number) => formatClock(at, now.value, isUtc.value);
  if (connection.state === "failed") {
    return <ErrorNotice error={connection.error} title="The messages cannot be shown" onRetry={retry} />;
  }
  if (connection.state === "lost") {
    return (
      <div class="notice retrying" role="status">
        The connection was lost at {clock(connection.since)}, reconnecting. Messages until then are not shown.
      </div>
    );
  }
  if (!away) return null;
  return (
    <div class="notice retrying" role="status">
      <span>
        The connection was away for {formatDuration(away.ms)} from {clock(away.from)}. Messages in between are not
        shown.
      </span>
      <div>
        <button
          type="button"
          class="button"
          onClick={() => {
            tail.away = undefined;
            version.value++;
          }}
        >
          Hide
        </button>
      </div>
    </div>
  );
}
