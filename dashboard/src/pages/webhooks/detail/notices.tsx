import { useQueryClient } from "@tanstack/preact-query";
import type { Webhook } from "causeway-mqtt/client";
import { useState } from "preact/hooks";
import { ErrorNotice } from "../../../components/error-notice.tsx";
import { Time } from "../../../components/time.tsx";
import { toast } from "../../../components/toasts.tsx";
import { causeway } from "../../../data/causeway.ts";
import { useRights } from "../../../data/session.tsx";

/** Reasons why a webhook does not deliver, and the remedies. */
export function Notices({ webhook }: { webhook: Webhook }) {
  const { can } = useRights();
  const { verification, disabled, refusedTopics = [], oldSecretUntil } = webhook;
  return (
    <>
      {verification?.state === "pending" && (
        <div class="notice retrying">
          <strong>The receiver has not agreed yet.</strong>
          <span>
            It was asked <Time at={verification.at} /> with an OPTIONS request. It agrees with 200 or 204 and the header{" "}
            <code>WebHook-Allowed-Origin</code>, or later by calling the URL in <code>WebHook-Request-Callback</code>.
            Messages are kept until then.
          </span>
          {can("webhooks") && <ConsentActions id={webhook.id} />}
        </div>
      )}
      {disabled && (
        <div class="notice failed">
          <strong>Disabled: {disabled.reason}</strong>
          <span>
            Since <Time at={disabled.at} />. Messages are kept.{" "}
            {can("webhooks") && "Resume it when the receiver is ready."}
          </span>
        </div>
      )}
      {refusedTopics.length > 0 && (
        <div class="notice failed">
          <strong>The broker refuses topic filters</strong>
          <ul>
            {refusedTopics.map(({ topic, reason }) => (
              <li key={topic}>
                <code>{topic}</code> {reason}
              </li>
            ))}
          </ul>
          <span>Allow them to the user of the bridge at the broker. The other filters are received.</span>
        </div>
      )}
      {oldSecretUntil && (
        <div class="notice live">
          <span>
            Calls are signed with the old secret too, which ends <Time at={oldSecretUntil} />. Give the new one to the
            receiver until then.
          </span>
        </div>
      )}
    </>
  );
}

function ConsentActions({ id }: { id: string }) {
  const client = useQueryClient();
  const [error, setError] = useState<Error>();
  const act = async (verify: boolean) => {
    setError(undefined);
    try {
      const { verification } = await causeway.webhooks.update(id, { verify });
      if (verification?.state === "pending") toast("The receiver has not agreed.", "retrying");
    } catch (failure) {
      setError(failure as Error);
    }
    void client.invalidateQueries({ queryKey: ["webhook", id] });
  };
  return (
    <>
      {error && <ErrorNotice error={error} title="Nothing was changed" />}
      <div class="row">
        <button type="button" class="button" onClick={() => void act(true)}>
          Ask again
        </button>
        <button type="button" class="button" onClick={() => void act(false)}>
          Deliver without consent
        </button>
      </div>
    </>
  );
}
