import { isCausewayError } from "causeway-mqtt/client";
import { useEffect, useRef, useState } from "preact/hooks";
import { Choices } from "../../../components/choices.tsx";
import { ErrorNotice } from "../../../components/error-notice.tsx";
import { Field } from "../../../components/field.tsx";
import { PayloadView } from "../../../components/payload.tsx";
import { pathTo } from "../../../data/address.ts";
import { causeway } from "../../../data/causeway.ts";
import { countOf, formatDuration } from "../../../data/format.ts";
import { useRights } from "../../../data/session.tsx";
import { type Answer, askDevice } from "./ask.ts";
import { MessageFieldset, PropertiesFieldset } from "./message-fields.tsx";
import { type AskFields, errorsOf, NEW_ASK, timeoutProblem, toRequest } from "./message-form.ts";
import { askedWords } from "./outcomes.ts";
import { recordSent, SentList } from "./sent.tsx";

type Result = { answer: Answer } | { stored: string; words: string } | { error: Error };

/** Publishes a request, and shows the response of the device. */
export function AskForm({ topic, topics }: { topic: string | undefined; topics: readonly string[] }) {
  const { publish } = useRights();
  const [fields, setFields] = useState<AskFields>({ ...NEW_ASK, topic: topic ?? "" });
  const [result, setResult] = useState<Result>();
  const running = useRef<AbortController>();
  const [isRunning, setRunning] = useState(false);
  useEffect(() => () => running.current?.abort(), []);
  const change = (part: Partial<AskFields>) => setFields((old) => ({ ...old, ...part }));
  const errors = errorsOf(fields, publish);
  const timeout = timeoutProblem(fields);
  const isReady = !isRunning && !timeout && Object.keys(errors).length === 0;
  const submit = async (event: Event) => {
    event.preventDefault();
    running.current = new AbortController();
    setRunning(true);
    setResult(undefined);
    setResult(await ask(fields, running.current.signal));
    setRunning(false);
  };
  return (
    <div class="section">
      <form class="section" onSubmit={submit}>
        <MessageFieldset
          fields={fields}
          errors={errors}
          topics={topics}
          onChange={change}
          topicHint="{requestId} stands for the id of the request, also in the payload and the response topic."
        />
        <Options fields={fields} timeout={timeout} responseTopic={errors.responseTopic} onChange={change} />
        <PropertiesFieldset
          fields={fields}
          errors={errors}
          onChange={change}
          names={["contentType", "correlationData", "expirySeconds"]}
        />
        <div class="row">
          <button type="submit" class="button primary" disabled={!isReady}>
            {isRunning ? "Waiting for the response" : fields.when === "now" ? "Ask the device" : "Store the request"}
          </button>
          {isRunning && (
            <button type="button" class="button" onClick={() => running.current?.abort()}>
              Stop waiting
            </button>
          )}
        </div>
      </form>
      <Outcome result={result} />
      <SentList kind="ask" onAgain={(again) => setFields(again as AskFields)} />
    </div>
  );
}

interface OptionsProps {
  fields: AskFields;
  timeout: string | undefined;
  /** The error of the field. */
  responseTopic: string | undefined;
  onChange: (part: Partial<AskFields>) => void;
}

function Options({ fields, timeout, responseTopic, onChange }: OptionsProps) {
  return (
    <>
      <Field
        label="Response topic"
        error={responseTopic}
        hint="Where the device responds. Empty: a topic of its own, which MQTT 5 devices find in the request."
      >
        {(props) => (
          <input
            {...props}
            class="mono"
            value={fields.responseTopic}
            placeholder="devices/pi-7/responses/{requestId}"
            autocomplete="off"
            spellcheck={false}
            onInput={({ currentTarget }) => onChange({ responseTopic: currentTarget.value })}
          />
        )}
      </Field>
      <div class="row">
        <Choices
          label="When"
          value={fields.when}
          options={[
            ["now", "Wait for the response"],
            ["stored", "The device may be offline"],
          ]}
          onChange={(when) => onChange({ when })}
        />
      </div>
      <div class="grid-2">
        {fields.when === "now" && (
          <Field label="Wait at most (seconds)" error={timeout}>
            {(props) => (
              <input
                {...props}
                inputMode="decimal"
                value={fields.timeoutSeconds}
                onInput={({ currentTarget }) => onChange({ timeoutSeconds: currentTarget.value })}
              />
            )}
          </Field>
        )}
        <Field label="Recognize the response by">
          {(props) => (
            <select
              {...props}
              value={fields.match}
              onChange={({ currentTarget }) => onChange({ match: currentTarget.value as AskFields["match"] })}
            >
              <option value="">Automatic, by the topics</option>
              <option value="topic">A response topic of its own</option>
              <option value="correlation">Correlation data (MQTT 5)</option>
              <option value="first">The first message on the response topic</option>
            </select>
          )}
        </Field>
      </div>
    </>
  );
}

async function ask(fields: AskFields, signal: AbortSignal): Promise<Result | undefined> {
  const request = toRequest(fields);
  try {
    if (fields.when === "stored") {
      const state = await causeway.requests.sendLater(request, { signal });
      const words = askedWords(state);
      recordSent({ kind: "ask", fields, tone: "live", words, id: state.id });
      return { stored: state.id, words };
    }
    const answer = await askDevice(request, signal);
    const words = `The device responded after ${formatDuration(answer.responded.durationMs)}.`;
    recordSent({ kind: "ask", fields, tone: "delivered", words });
    return { answer };
  } catch (error) {
    if (signal.aborted) return undefined;
    const words = isCausewayError(error) ? error.detail : (error as Error).message;
    recordSent({ kind: "ask", fields, tone: "failed", words });
    return { error: error as Error };
  }
}

function Outcome({ result }: { result: Result | undefined }) {
  if (!result) return null;
  if ("error" in result) {
    const isTimeout = isCausewayError(result.error, "request_timeout");
    return <ErrorNotice error={result.error} title={isTimeout ? "The device did not respond" : "The request failed"} />;
  }
  if ("stored" in result) {
    return (
      <div class="notice live" role="status">
        <span>{result.words}</span>
        <a href={pathTo(`messages/${result.stored}`)}>Follow the request</a>
      </div>
    );
  }
  const { responded, content } = result.answer;
  const { topic, status, userProperties } = responded.response;
  const properties = Object.keys(userProperties ?? {}).length;
  return (
    <section class="section" aria-label="Response">
      <div class="notice delivered" role="status">
        <span>
          The device responded after {formatDuration(responded.durationMs)}
          {status !== undefined && ` with status ${status}`}.
        </span>
        <span class="small quiet">
          On <code>{topic}</code>
          {properties > 0 && `, with ${countOf(properties, "user property", "user properties")}`}
        </span>
      </div>
      <PayloadView {...content} name="response" />
    </section>
  );
}
