import type { Key, PortalSession } from "causeway-mqtt/client";
import { useState } from "preact/hooks";
import { Copy } from "../../components/copy.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { ErrorNotice } from "../../components/error-notice.tsx";
import { Field } from "../../components/field.tsx";
import { Time } from "../../components/time.tsx";
import { causeway } from "../../data/causeway.ts";

const TIMES = [
  [900, "15 minutes"],
  [3_600, "1 hour"],
  [43_200, "12 hours"],
] as const;

/** The button that had the focus is gone with its form. */
const focus = (element: HTMLElement | null) => element?.focus();

/** Creates a link that opens the dashboard once with the rights of a key. */
export function PortalLink({ of: { id, name }, onClose }: { of: Key; onClose: () => void }) {
  const [ttlSeconds, setTtl] = useState(3_600);
  const [session, setSession] = useState<PortalSession>();
  const [error, setError] = useState<Error>();
  const [isRunning, setRunning] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    setRunning(true);
    setError(undefined);
    try {
      setSession(await causeway.keys.createPortalSession({ keyId: id, ttlSeconds }));
    } catch (failure) {
      setError(failure as Error);
    }
    setRunning(false);
  };
  return (
    <Dialog title={`Portal link for ${name}`} onClose={onClose}>
      {session ? (
        <div class="section" role="status" tabIndex={-1} ref={focus}>
          <p>
            The link opens the dashboard once. It and the session end <Time at={session.expiresAt} />. It is shown only
            now.
          </p>
          <pre class="once">{session.url}</pre>
          <div>
            <Copy text={session.url} label="Copy the link" />
          </div>
        </div>
      ) : (
        <form class="section" onSubmit={submit}>
          <p>The link opens this dashboard with the rights of the key, without showing the key. It works once.</p>
          <Field label="Valid for">
            {(props) => (
              <select
                {...props}
                value={ttlSeconds}
                onChange={({ currentTarget }) => setTtl(Number(currentTarget.value))}
              >
                {TIMES.map(([seconds, words]) => (
                  <option key={seconds} value={seconds}>
                    {words}
                  </option>
                ))}
              </select>
            )}
          </Field>
          {error && <ErrorNotice error={error} title="The link was not created" />}
          <div>
            <button type="submit" class="button primary" disabled={isRunning}>
              {isRunning ? "Creating" : "Create the link"}
            </button>
          </div>
        </form>
      )}
    </Dialog>
  );
}
