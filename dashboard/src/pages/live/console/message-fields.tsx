import { Choices } from "../../../components/choices.tsx";
import { Field } from "../../../components/field.tsx";
import { type Errors, FORMATS, type Format, type MessageFields } from "./message-form.ts";

interface Props<F extends MessageFields> {
  fields: F;
  errors: Errors;
  /** Topics to choose from. */
  topics: readonly string[];
  onChange: (change: Partial<MessageFields>) => void;
  topicHint?: string;
}

const WORDS: Record<Format, string> = { json: "JSON", text: "Text", hex: "Hex" };

/** Topic, payload and QoS. */
export function MessageFieldset<F extends MessageFields>({ fields, errors, topics, onChange, topicHint }: Props<F>) {
  const { topic, format, payload, qos } = fields;
  return (
    <>
      <Field label="Topic" error={topic === "" ? undefined : errors.topic} hint={topicHint}>
        {(props) => (
          <>
            <input
              {...props}
              class="mono"
              value={topic}
              list="live-topics"
              autocomplete="off"
              spellcheck={false}
              onInput={({ currentTarget }) => onChange({ topic: currentTarget.value })}
            />
            <datalist id="live-topics">
              {topics.map((one) => (
                <option key={one} value={one} />
              ))}
            </datalist>
          </>
        )}
      </Field>
      <Field label="Payload" error={errors.payload}>
        {(props) => (
          <textarea
            {...props}
            rows={4}
            spellcheck={false}
            value={payload}
            placeholder={format === "hex" ? "00 ff 1a" : format === "json" ? '{"led":"on"}' : "interval=30"}
            onInput={({ currentTarget }) => onChange({ payload: currentTarget.value })}
          />
        )}
      </Field>
      <div class="row">
        <Choices
          label="Payload written as"
          value={format}
          options={FORMATS.map((one) => [one, WORDS[one]] as const)}
          onChange={(next) => onChange({ format: next })}
        />
        <Choices
          label="Quality of service"
          value={String(qos) as "0" | "1" | "2"}
          options={[
            ["0", "QoS 0"],
            ["1", "QoS 1"],
            ["2", "QoS 2"],
          ]}
          onChange={(next) => onChange({ qos: Number(next) as 0 | 1 | 2 })}
        />
      </div>
    </>
  );
}

interface PropertiesProps<F extends MessageFields> extends Omit<Props<F>, "topics" | "topicHint"> {
  /** Names of the fields, in order. */
  names: readonly (keyof typeof LABELS)[];
}

const LABELS = {
  contentType: "Content type",
  responseTopic: "Response topic",
  correlationData: "Correlation data (base64)",
  expirySeconds: "Expires after (seconds)",
} as const;

/** MQTT 5 properties, one field each. */
export function PropertiesFieldset<F extends MessageFields>({ fields, errors, onChange, names }: PropertiesProps<F>) {
  const isOpen = names.some((name) => errors[name]) || errors.userProperties !== undefined;
  return (
    <details open={isOpen || undefined}>
      <summary>MQTT 5 properties</summary>
      <div class="grid-2 properties">
        {names.map((name) => (
          <Field key={name} label={LABELS[name]} error={errors[name]}>
            {(props) => (
              <input
                {...props}
                class="mono"
                value={fields[name]}
                autocomplete="off"
                onInput={({ currentTarget }) => onChange({ [name]: currentTarget.value })}
              />
            )}
          </Field>
        ))}
        <Field label="User properties" hint="name=value, one a line" error={errors.userProperties}>
          {(props) => (
            <textarea
              {...props}
              rows={2}
              spellcheck={false}
              value={fields.userProperties}
              onInput={({ currentTarget }) => onChange({ userProperties: currentTarget.value })}
            />
          )}
        </Field>
      </div>
    </details>
  );
}
