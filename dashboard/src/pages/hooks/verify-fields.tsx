import type { Hook } from "causeway-mqtt/client";
import { Field } from "../../components/field.tsx";
import { fieldsOf, type HookDraft, type PartProps, VERIFICATIONS, verifyWords } from "./hook-form.ts";

const LABELS = {
  secret: "Secret",
  header: "Header with the signature",
  algorithm: "Algorithm",
  encoding: "Encoding",
  prefix: "Text before the signature",
  username: "User name",
  password: "Password",
} as const;

const OPTIONS = { algorithm: ["sha256", "sha1", "sha512"], encoding: ["hex", "base64"] } as const;

/** How calls are verified. Secrets are never shown again. */
export function VerifyFields({ draft, errors, onChange, hook }: PartProps & { hook: Hook | undefined }) {
  return (
    <>
      <Field
        label="Verification"
        error={errors.verify ?? errors.type}
        hint={draft.verify === "none" ? "Everyone who knows the address can call the hook." : undefined}
      >
        {(props) => (
          <select
            {...props}
            value={draft.verify}
            onChange={({ currentTarget }) => onChange({ verify: currentTarget.value as HookDraft["verify"] })}
          >
            {hook && hook.verify.type !== "none" && <option value="keep">As it is: {verifyWords(hook.verify)}</option>}
            {VERIFICATIONS.map(([type, words]) => (
              <option key={type} value={type}>
                {words}
              </option>
            ))}
          </select>
        )}
      </Field>
      {fieldsOf(draft.verify).map((field) => (
        <Field key={field} label={LABELS[field]} error={errors[field]}>
          {(props) =>
            field === "algorithm" || field === "encoding" ? (
              <select
                {...props}
                value={draft[field]}
                onChange={({ currentTarget }) => onChange({ [field]: currentTarget.value })}
              >
                {OPTIONS[field].map((option) => (
                  <option key={option}>{option}</option>
                ))}
              </select>
            ) : (
              <input
                {...props}
                type={field === "secret" || field === "password" ? "password" : "text"}
                autocomplete={field === "secret" || field === "password" ? "new-password" : "off"}
                spellcheck={false}
                value={draft[field]}
                onInput={({ currentTarget }) => onChange({ [field]: currentTarget.value })}
              />
            )
          }
        </Field>
      ))}
    </>
  );
}
