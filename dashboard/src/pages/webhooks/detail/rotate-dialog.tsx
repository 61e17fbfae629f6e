import { useQueryClient } from "@tanstack/preact-query";
import type { Webhook } from "causeway-mqtt/client";
import { useState } from "preact/hooks";
import { Dialog } from "../../../components/dialog.tsx";
import { ErrorNotice } from "../../../components/error-notice.tsx";
import { Field } from "../../../components/field.tsx";
import { causeway } from "../../../data/causeway.ts";
import { Secret } from "./secret.tsx";

const GRACE = [
  ["3600", "1 hour"],
  ["86400", "1 day"],
  ["604800", "7 days"],
  ["0", "None: the old secret ends now"],
] as const;

/** Makes a new signing secret and shows it once. */
export function RotateDialog({ webhook: { id }, onClose }: { webhook: Webhook; onClose: () => void }) {
  const client = useQueryClient();
  const [grace, setGrace] = useState("86400");
  const [secret, setSecret] = useState<string>();
  const [error, setError] = useState<Error>();
  const [isRunning, setRunning] = useState(false);
  const rotate = async (event: Event) => {
    event.preventDefault();
    setRunning(true);
    setError(undefined);
    try {
      const rotated = await causeway.webhooks.rotateSecret(id, { graceSeconds: Number(grace) });
      setSecret(rotated.secret);
      void client.invalidateQueries({ queryKey: ["webhook", id] });
    } catch (failure) {
      setError(failure as Error);
    }
    setRunning(false);
  };
  return (
    <Dialog title="Rotate the secret" onClose={onClose}>
      {secret ? (
        <>
          <Secret secret={secret} />
          <p>
            {grace === "0"
              ? "Calls are signed with it from now on."
              : `Calls carry both signatures for ${GRACE.find(([value]) => value === grace)![1]}. Give the receiver the new secret in that time.`}
          </p>
        </>
      ) : (
        <form class="section" onSubmit={rotate}>
          <p>The bridge makes a new signing secret. For the grace period, each call is signed with the old one too.</p>
          <Field label="Grace period">
            {(props) => (
              <select {...props} value={grace} onChange={({ currentTarget }) => setGrace(currentTarget.value)}>
                {GRACE.map(([value, word]) => (
                  <option value={value} key={value}>
                    {word}
                  </option>
                ))}
              </select>
            )}
          </Field>
          {error && <ErrorNotice error={error} title="The secret was not rotated" />}
          <div class="row">
            <button type="submit" class="button primary" disabled={isRunning}>
              Rotate the secret
            </button>
          </div>
        </form>
      )}
    </Dialog>
  );
}
