import { useState } from "preact/hooks";
import { Choices } from "../../../components/choices.tsx";
import { ErrorNotice } from "../../../components/error-notice.tsx";
import { Field } from "../../../components/field.tsx";
import { pathTo } from "../../../data/address.ts";
import { causeway } from "../../../data/causeway.ts";
import { useRights } from "../../../data/session.tsx";
import { MessageFieldset, PropertiesFieldset } from "./message-fields.tsx";
import { errorsOf, NEW_PUBLISH, type PublishFields, sendAtProblem, toMessage } from "./message-form.ts";
import { publishedWords } from "./outcomes.ts";
import { recordSent, SentList } from "./sent.tsx";

interface PublishFormProps {
  /** The topic to begin with. */
  topic: string | undefined;
  topics: readonly string[];
}

type Result = { words: string; id?: string | undefined } | { error: Error };

/** Publishes a message, now or later. */
export function PublishForm({ topic, topics }: PublishFormProps) {
  const { publish } = useRights();
  const [fields, setFields] = useState<PublishFields>({ ...NEW_PUBLISH, topic: topic ?? "" });
  const [result, setResult] = useState<Result>();
  const [isRunning, setRunning] = useState(false);
  const change = (part: Partial<PublishFields>) => setFields((old) => ({ ...old, ...part }));
  const errors = errorsOf(fields, publish);
  const sendAt = sendAtProblem(fields, Date.now());
  const isReady = !isRunning && !sendAt && Object.keys(errors).length === 0;
  const submit = async (event: Event) => {
    event.preventDefault();
    setRunning(true);
    setResult(undefined);
    setResult(await send(fields));
    setRunning(false);
  };
  return (
    <div class="section">
      <form class="section" onSubmit={submit}>
        <MessageFieldset fields={fields} errors={errors} topics={topics} onChange={change} />
        <label class="row">
          <input
            type="checkbox"
            checked={fields.retain}
            onChange={(e) => change({ retain: e.currentTarget.checked })}
          />
          Retain: the broker keeps the message for later subscribers
        </label>
        <div class="row">
          <Choices
            label="When"
            value={fields.when}
            options={[
              ["now", "Now"],
              ["stored", "When the broker is available"],
              ["scheduled", "At a time"],
            ]}
            onChange={(when) => change({ when })}
          />
        </div>
        {fields.when === "scheduled" && (
          <Field label="Publish at (your time)" error={fields.sendAt === "" ? undefined : sendAt}>
            {(props) => (
              <input
                {...props}
                type="datetime-local"
                step="1"
                value={fields.sendAt}
                onInput={({ currentTarget }) => change({ sendAt: currentTarget.value })}
              />
            )}
          </Field>
        )}
        <PropertiesFieldset
          fields={fields}
          errors={errors}
          onChange={change}
          names={["contentType", "responseTopic", "correlationData", "expirySeconds"]}
        />
        <div>
          <button type="submit" class="button primary" disabled={!isReady}>
            {isRunning ? "Publishing" : fields.when === "now" ? "Publish" : "Store the message"}
          </button>
        </div>
      </form>
      <Outcome result={result} />
      <SentList kind="publish" onAgain={(again) => setFields(again as PublishFields)} />
    </div>
  );
}

async function send(fields: PublishFields): Promise<Result> {
  try {
    const message = toMessage(fields);
    const stored = fields.when === "now" ? undefined : await causeway.messages.publishLater(message);
    const words = publishedWords(stored ?? (await causeway.messages.publish(message)));
    recordSent({ kind: "publish", fields, tone: stored ? "live" : "delivered", words, id: stored?.id });
    return { words, id: stored?.id };
  } catch (error) {
    recordSent({ kind: "publish", fields, tone: "failed", words: (error as Error).message });
    return { error: error as Error };
  }
}

function Outcome({ result }: { result: Result | undefined }) {
  if (!result) return null;
  if ("error" in result) return <ErrorNotice error={result.error} title="The message was not published" />;
  return (
    <div class={`notice ${result.id ? "live" : "delivered"}`} role="status">
      <span>{result.words}</span>
      {result.id && <a href={pathTo(`messages/${result.id}`)}>Follow the message</a>}
    </div>
  );
}
