import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { isUtc, now } from "../data/clock.ts";
import { formatClock } from "../data/format.ts";

interface PageProps {
  title: string;
  /** The answer to "is my data getting through, and if not, why?", in words. */
  lead?: ComponentChildren;
  actions?: ComponentChildren;
  children?: ComponentChildren;
}

export function Page({ title, lead, actions, children }: PageProps) {
  useEffect(() => {
    document.title = `${title} · Causeway`;
  }, [title]);
  return (
    <div class="page">
      <header class="page-head">
        <div>
          <h1>{title}</h1>
          {lead && (
            <p class="lead" aria-live="polite">
              {lead}
            </p>
          )}
        </div>
        {actions && <div class="row">{actions}</div>}
      </header>
      {children}
    </div>
  );
}

/** Says that the data below is of an earlier read, because the bridge does not respond. */
export function StaleNotice({ error, readAt }: { error: Error | null; readAt: number }) {
  if (!error || readAt === 0) return null;
  return (
    <div class="notice retrying" role="status">
      As of {formatClock(readAt, now.value, isUtc.value)}, reconnecting.
    </div>
  );
}
