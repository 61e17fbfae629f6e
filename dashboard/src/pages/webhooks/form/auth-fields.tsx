import { Field } from "../../../components/field.tsx";
import { AUTH_FIELDS, type AuthDraft, type AuthType } from "./draft.ts";
import type { WebhookForm } from "./use-form.ts";

type AuthField = Exclude<keyof AuthDraft, "type">;

const TYPES: readonly (readonly [AuthType, string])[] = [
  ["none", "None"],
  ["basic", "Basic: user and password"],
  ["bearer", "Bearer token"],
  ["oauth2", "OAuth 2: client credentials"],
  ["mtls", "Client certificate"],
];

const LABELS: Record<AuthField, string> = {
  username: "User",
  password: "Password",
  token: "Token",
  tokenUrl: "Token URL",
  clientId: "Client id",
  clientSecret: "Client secret",
  scope: "Scope (optional)",
  audience: "Audience (optional)",
  cert: "Certificate (PEM)",
  key: "Key (PEM)",
};
const SECRET: readonly AuthField[] = ["password", "token", "clientSecret"];
const LONG: readonly AuthField[] = ["cert", "key"];

/** How the bridge authenticates to the receiver. Stored credentials are kept, replaced as a whole or removed. */
export function AuthFields({ form }: { form: WebhookForm }) {
  const { draft, set, errorOf } = form;
  const { auth } = draft;
  const change = (part: Partial<AuthDraft>) => set({ auth: { ...auth, ...part } });
  const isSet = auth.type !== "none" && auth.type !== "keep";
  const types = form.hasStoredAuth ? [["keep", "Keep the stored credentials"] as const, ...TYPES] : TYPES;
  const fields: readonly AuthField[] = isSet ? AUTH_FIELDS[auth.type as keyof typeof AUTH_FIELDS] : [];
  const own = fields.some((field) => errorOf(`auth.${field}`)) ? undefined : errorOf("auth");
  return (
    <>
      <Field
        label="Authentication to the receiver"
        hint="In addition to the signature, which every call has."
        error={own}
      >
        {(props) => (
          <select
            {...props}
            value={auth.type}
            onChange={({ currentTarget }) => change({ type: currentTarget.value as AuthType })}
          >
            {types.map(([value, word]) => (
              <option value={value} key={value}>
                {word}
              </option>
            ))}
          </select>
        )}
      </Field>
      {fields.map((field) => (
        <Field label={LABELS[field]} key={field} error={errorOf(`auth.${field}`)}>
          {(props) =>
            LONG.includes(field) ? (
              <textarea
                {...props}
                rows={3}
                spellcheck={false}
                value={auth[field]}
                onInput={({ currentTarget }) => change({ [field]: currentTarget.value })}
              />
            ) : (
              <input
                {...props}
                type={SECRET.includes(field) ? "password" : "text"}
                autocomplete={SECRET.includes(field) ? "new-password" : "off"}
                spellcheck={false}
                value={auth[field]}
                onInput={({ currentTarget }) => change({ [field]: currentTarget.value })}
              />
            )
          }
        </Field>
      ))}
    </>
  );
}
