/** The sections of delivery and security. */
import { AreaInput, CheckInput, Fold, SelectInput, TextInput } from "./inputs.tsx";
import type { SectionProps } from "./sections.tsx";

export function DeliverySection({ form, isOpen }: SectionProps & { isOpen: boolean }) {
  const isPull = form.draft.type === "pull";
  const fields = ["concurrency", "ordering", "rateLimit", "retry", "timeoutMs", "replyTopic"];
  return (
    <Fold
      form={form}
      title="Delivery"
      about={isPull ? "order, repetitions" : "order, limits, retries, replies"}
      fields={fields}
      isOpen={isOpen}
    >
      {!isPull && (
        <div class="grid-2">
          <TextInput form={form} field="concurrency" type="number" label="Parallel calls" placeholder="10" />
          <TextInput
            form={form}
            field="timeoutMs"
            type="number"
            label="Time limit of a call in ms"
            placeholder="15000"
          />
          <TextInput
            form={form}
            field="rateMax"
            path="rateLimit"
            type="number"
            label="Calls at most"
            placeholder="no limit"
          />
          <TextInput
            form={form}
            field="ratePerSeconds"
            path="rateLimit.perSeconds"
            type="number"
            label="in this many seconds"
            placeholder="1"
          />
        </div>
      )}
      <SelectInput
        form={form}
        field="ordering"
        label="Order"
        options={[
          ["none", isPull ? "None: consumers work in parallel" : "None: deliveries run in parallel"],
          ["topic", "By topic: the messages of a topic one after the other"],
          ["strict", "Strict: all messages one after the other"],
        ]}
      />
      <TextInput
        form={form}
        field="schedule"
        path="retry"
        label="Retry after"
        placeholder="5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 1 d"
        hint="Waits before the second, third and further attempts. none: a single attempt."
      />
      {!isPull && (
        <TextInput
          form={form}
          field="replyTopic"
          label="Reply topic"
          isMono
          placeholder="{topic}/reply"
          hint="Where the body of a 2xx response is published. {responseTopic}: the response topic of the message."
        />
      )}
    </Fold>
  );
}

export function SecuritySection({ form, isNew, isOpen }: SectionProps & { isOpen: boolean }) {
  const { draft, set, errorOf } = form;
  return (
    <Fold
      form={form}
      title="Security"
      about="signing secret, certificates, consent"
      fields={["secret", "ca", "verify", "externalId"]}
      isOpen={isOpen}
    >
      <TextInput
        form={form}
        field="secret"
        type="password"
        label="Signing secret"
        hint={
          isNew
            ? "whsec_ and the base64 of 24 to 64 bytes. Empty: the bridge makes one and shows it once."
            : "Empty: it stays. A new one replaces it at once; to change it without a gap, rotate it."
        }
      />
      <AreaInput
        form={form}
        field="ca"
        label="Certificate authorities"
        hint="PEM. They replace those of the system for this receiver."
      />
      <CheckInput
        label="Ask the receiver for consent"
        hint="With an OPTIONS request. Nothing is delivered until the receiver agrees."
        error={errorOf("verify")}
        isChecked={draft.verify}
        onChange={(verify) => set({ verify })}
      />
      {isNew && (
        <TextInput
          form={form}
          field="externalId"
          label="External id"
          isMono
          hint="A unique name of your own, by which a program finds the webhook. It never changes."
        />
      )}
    </Fold>
  );
}
