/** The sections of the form that are folded at first. */
import { AuthFields } from "./auth-fields.tsx";
import { type Draft, EMPTY, type EventName } from "./draft.ts";
import { AreaInput, CheckInput, Fold, SelectInput, TextInput } from "./inputs.tsx";
import type { WebhookForm } from "./use-form.ts";

export interface SectionProps {
  form: WebhookForm;
  isNew: boolean;
}

const differs = (draft: Draft, ...fields: (keyof Draft)[]) =>
  fields.some((field) => JSON.stringify(draft[field]) !== JSON.stringify(EMPTY[field]));

/** Whether the section had settings when the form opened; typing must not fold or unfold it. */
export type OpenSections = Record<"source" | "destination" | "shape" | "delivery" | "security", boolean>;

export function openSections(draft: Draft): OpenSections {
  return {
    source: differs(draft, "qos", "retained", "events"),
    destination: differs(draft, "method", "headers", "auth"),
    shape: differs(draft, "payloadFormat", "filter", "transform", "mode", "batchSize"),
    delivery: differs(draft, "concurrency", "ordering", "rateMax", "schedule", "timeoutMs", "replyTopic"),
    security: differs(draft, "ca", "verify"),
  };
}

const EVENTS: readonly (readonly [EventName, string])[] = [
  ["webhook.failing", "A webhook fails"],
  ["webhook.recovered", "A webhook works again"],
  ["webhook.disabled", "A webhook was disabled"],
  ["delivery.failed", "A delivery was given up"],
];

export function SourceSection({ form, isNew, isOpen }: SectionProps & { isOpen: boolean }) {
  const { draft, set } = form;
  return (
    <Fold
      form={form}
      title="Source"
      about="QoS, retained messages, events"
      fields={["qos", "events", "retained"]}
      isOpen={isOpen}
    >
      <SelectInput
        form={form}
        field="qos"
        label="QoS of the subscription"
        options={[
          ["0", "0: at most once"],
          ["1", "1: at least once"],
          ["2", "2: exactly once"],
        ]}
      />
      {isNew && (
        <CheckInput
          label="Deliver the messages that are retained now"
          hint="Once, right after the registration. Messages that are published later are delivered in any case."
          isChecked={draft.retained}
          onChange={(retained) => set({ retained })}
        />
      )}
      <fieldset class="section">
        <legend>Events of the bridge</legend>
        {EVENTS.map(([event, word]) => (
          <CheckInput
            key={event}
            label={word}
            isChecked={draft.events.includes(event)}
            onChange={(isChecked) =>
              set({
                events: EVENTS.map(([one]) => one).filter((one) =>
                  one === event ? isChecked : draft.events.includes(one),
                ),
              })
            }
          />
        ))}
        {form.errorOf("events") && <div class="error">{form.errorOf("events")}</div>}
      </fieldset>
    </Fold>
  );
}

export function DestinationSection({ form, isOpen }: SectionProps & { isOpen: boolean }) {
  return (
    <Fold
      form={form}
      title="Destination"
      about="method, headers, authentication"
      fields={["method", "headers", "auth"]}
      isOpen={isOpen}
    >
      <SelectInput
        form={form}
        field="method"
        label="Method"
        options={[
          ["POST", "POST"],
          ["PUT", "PUT"],
          ["PATCH", "PATCH"],
        ]}
      />
      <AreaInput
        form={form}
        field="headers"
        label="Headers"
        rows={2}
        placeholder="X-Site: Berlin"
        hint="One a line. Values of headers whose names look like credentials are never shown again; ******** keeps the stored one."
      />
      <AuthFields form={form} />
    </Fold>
  );
}

export function ShapeSection({ form, isOpen }: SectionProps & { isOpen: boolean }) {
  return (
    <Fold
      form={form}
      title="Shape"
      about="payload format, filter, transform, body, batches"
      fields={["payloadFormat", "filter", "transform", "mode", "batch"]}
      isOpen={isOpen}
    >
      <SelectInput
        form={form}
        field="payloadFormat"
        label="Payload format"
        options={[
          ["auto", "JSON, text or bytes: delivered as they are"],
          ["sparkplug", "Sparkplug B: decoded to JSON"],
          ["cbor", "CBOR: decoded to JSON"],
          ["msgpack", "MessagePack: decoded to JSON"],
        ]}
      />
      <AreaInput
        form={form}
        field="filter"
        label="Filter"
        rows={2}
        placeholder="data.temperature > 30"
        hint="JSONata over the event. A message is sent only if it is true."
      />
      <AreaInput
        form={form}
        field="transform"
        label="Transform"
        rows={5}
        placeholder='{ "device": $split(subject, "/")[1], "celsius": data.temperature }'
        hint="JSONata over the event. Its result replaces the payload."
      />
      {form.draft.type === "push" && <BodyInputs form={form} />}
    </Fold>
  );
}

/** The body of a call. */
function BodyInputs({ form }: Pick<SectionProps, "form">) {
  return (
    <>
      <SelectInput
        form={form}
        field="mode"
        label="Body"
        options={[
          ["structured", "Structured: a CloudEvent in JSON"],
          ["binary", "Binary: the payload itself, attributes in ce-* headers"],
        ]}
      />
      <div class="grid-2">
        <TextInput
          form={form}
          field="batchSize"
          path="batch"
          type="number"
          label="Messages per call"
          hint="Empty: one call for each message."
        />
        <TextInput
          form={form}
          field="batchWaitMs"
          path="batch.maxWaitMs"
          type="number"
          label="Longest wait in ms"
          placeholder="1000"
        />
      </div>
    </>
  );
}
