import { useQueryClient } from "@tanstack/preact-query";
import type { RetainedMessage } from "causeway-mqtt/client";
import { useState } from "preact/hooks";
import { Confirm } from "../../components/dialog.tsx";
import { ErrorNotice } from "../../components/error-notice.tsx";
import { Field } from "../../components/field.tsx";
import { Loaded } from "../../components/loaded.tsx";
import { PayloadView } from "../../components/payload.tsx";
import { toast } from "../../components/toasts.tsx";
import { causeway } from "../../data/causeway.ts";
import { formatBytes } from "../../data/format.ts";
import { useData } from "../../data/query.ts";
import { useRights } from "../../data/session.tsx";
import { type Format, payloadProblem, toPayload } from "./console/message-form.ts";
import { base64Of, editableOf, textOf } from "./retained-content.ts";
import { matches } from "./topic-filters.ts";

/** One retained message: view, edit, clear. */
export function RetainedTopicView({ topic, onCleared }: { topic: string; onCleared: () => void }) {
  const { can, publish } = useRights();
  const queries = useQueryClient();
  const [mode, setMode] = useState<"view" | "edit" | "clear">("view");
  const message = useData(["retained", topic], (options) => causeway.topics.get(topic, options));
  const isAllowed = can("publish") && publish.some((filter) => matches(filter, topic));
  const refresh = () => queries.invalidateQueries({ queryKey: ["retained"] });
  return (
    <Loaded of={message} failure="The retained message could not be read">
      {(retained) => (
        <>
          <p class="quiet">
            {retained.contentType}, QoS {retained.qos}
            {Object.entries(retained.userProperties).map(([name, values]) => `, ${name}: ${values.join(", ")}`)}
          </p>
          {mode === "edit" ? (
            <Edit
              message={retained}
              onClose={() => setMode("view")}
              onSaved={async () => {
                await refresh();
                setMode("view");
                toast(`Published to ${topic} with retain.`);
              }}
            />
          ) : (
            <PayloadView {...contentOf(retained.payload)} name={topic.replaceAll("/", "-")} />
          )}
          {isAllowed && mode !== "edit" && (
            <div class="row">
              <button type="button" class="button" onClick={() => setMode("edit")}>
                Edit
              </button>
              <button type="button" class="button danger" onClick={() => setMode("clear")}>
                Clear
              </button>
            </div>
          )}
          {mode === "clear" && (
            <Confirm
              title="Clear the retained message"
              action="Clear the retained message"
              onConfirm={async () => {
                await causeway.topics.clear(topic);
                await queries.invalidateQueries({ queryKey: ["retained"], refetchType: "none" });
                toast(`Cleared the retained message of ${topic}.`);
                onCleared();
                void queries.refetchQueries({ queryKey: ["retained"], type: "active" });
              }}
              onClose={() => setMode("view")}
            >
              Publishes an empty retained message to <code>{topic}</code>. The broker drops its{" "}
              {formatBytes(retained.payload.length)}, and clients that subscribe later get nothing. Clients that are
              subscribed now receive the empty message.
            </Confirm>
          )}
        </>
      )}
    </Loaded>
  );
}

function contentOf(payload: Uint8Array): { text?: string; base64?: string } {
  const text = textOf(payload);
  return text === undefined ? { base64: base64Of(payload) } : { text };
}

interface EditProps {
  message: RetainedMessage;
  onSaved: () => Promise<void>;
  onClose: () => void;
}

function Edit({ message: { topic, payload, contentType, qos, userProperties }, onSaved, onClose }: EditProps) {
  const [{ format, text }, setText] = useState<{ format: Format; text: string }>(editableOf(payload));
  const [error, setError] = useState<Error>();
  const [isRunning, setRunning] = useState(false);
  const wrong = payloadProblem({ format, payload: text });
  const submit = async (event: Event) => {
    event.preventDefault();
    setRunning(true);
    try {
      await causeway.messages.publish({
        topic,
        ...toPayload({ format, payload: text }),
        qos: qos as 0 | 1 | 2,
        retain: true,
        // The type that the API gives to a payload without one.
        ...(contentType !== "application/octet-stream" && { contentType }),
        ...(Object.keys(userProperties).length > 0 && { userProperties }),
      });
      await onSaved();
    } catch (failure) {
      setError(failure as Error);
      setRunning(false);
    }
  };
  return (
    <form class="section" onSubmit={submit}>
      <Field label={format === "hex" ? "Payload as hex" : "Payload"} error={wrong}>
        {(props) => (
          <textarea
            {...props}
            rows={10}
            spellcheck={false}
            value={text}
            onInput={({ currentTarget }) => setText({ format, text: currentTarget.value })}
          />
        )}
      </Field>
      {text === "" && <p class="quiet">An empty payload clears the retained message.</p>}
      {error && <ErrorNotice error={error} title="The message was not published" />}
      <div class="row">
        <button type="submit" class="button primary" disabled={isRunning || wrong !== undefined || text === ""}>
          {isRunning ? "Publishing" : "Publish with retain"}
        </button>
        <button type="button" class="button" onClick={onClose}>
          Cancel
        </button>
      </div>
    </form>
  );
}
