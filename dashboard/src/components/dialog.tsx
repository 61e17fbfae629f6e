import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { ErrorNotice } from "./error-notice.tsx";
import { Field } from "./field.tsx";

interface DialogProps {
  title: string;
  /** At the right edge, for details beside a list. */
  side?: boolean;
  onClose: () => void;
  children: ComponentChildren;
}

/** A modal dialog, open as long as it is rendered. Escape and a click outside close it; then its opener has the focus. */
export function Dialog({ title, side = false, onClose, children }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const isGone = useRef(false);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current!;
    dialog.showModal();
    return () => {
      isGone.current = true;
      // Gives the focus back, which an open dialog that is only removed does not.
      dialog.close();
      setTimeout(focusSomewhere, SETTLE_MS);
    };
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes a dialog without code
    <dialog
      ref={ref}
      class={side ? "dialog side" : "dialog"}
      aria-labelledby={id}
      onClose={() => !isGone.current && onClose()}
      onClick={({ target, currentTarget }) => target === currentTarget && currentTarget.close()}
    >
      <div class="body">
        <div class="section-head">
          <h2 id={id}>{title}</h2>
          <button type="button" class="button plain" onClick={() => ref.current?.close()}>
            Close
          </button>
        </div>
        {children}
      </div>
    </dialog>
  );
}

/** How long the list takes to be drawn without the row that was deleted. */
const SETTLE_MS = 100;

/** The opener can be gone, with the row of which it was a part. */
function focusSomewhere(): void {
  if (document.activeElement === document.body) document.getElementById("main")?.focus({ preventScroll: true });
}

interface ConfirmProps {
  title: string;
  /** The consequence, with numbers. */
  children: ComponentChildren;
  /** A verb: "Delete the webhook". */
  action: string;
  /** The name that has to be typed, for acts that cannot be undone. */
  name?: string;
  onConfirm: () => Promise<unknown>;
  onClose: () => void;
}

/** Asks before a destructive act, and stays open with the reason if it fails. */
export function Confirm({ title, children, action, name, onConfirm, onClose }: ConfirmProps) {
  const [typed, setTyped] = useState("");
  const [isRunning, setRunning] = useState(false);
  const [error, setError] = useState<Error>();
  const submit = async (event: Event) => {
    event.preventDefault();
    setRunning(true);
    try {
      await onConfirm();
      onClose();
    } catch (failure) {
      setError(failure as Error);
      setRunning(false);
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form class="section" onSubmit={submit}>
        <div>{children}</div>
        {name !== undefined && (
          <Field label={`Type ${name} to confirm`}>
            {(props) => (
              <input {...props} value={typed} autocomplete="off" onInput={(e) => setTyped(e.currentTarget.value)} />
            )}
          </Field>
        )}
        {error && <ErrorNotice error={error} title="Nothing was changed" />}
        <div class="row">
          <button
            type="submit"
            class="button danger"
            disabled={isRunning || (name !== undefined && typed.trim() !== name)}
          >
            {action}
          </button>
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
        </div>
      </form>
    </Dialog>
  );
}
