/** Rules for the verification of a hook: which fields belong to which type. */
import { type FieldError, type Refused, refuseFields } from "../errors.ts";
import type { Verification, VerificationInput } from "./hook.ts";
import { standardSecretError } from "./verify.ts";

type VerificationField = Exclude<keyof VerificationInput, "type">;

const FIELDS: Record<
  Verification["type"],
  { required: readonly VerificationField[]; optional?: readonly VerificationField[] }
> = {
  none: { required: [] },
  standard: { required: ["secret"] },
  github: { required: ["secret"] },
  gitlab: { required: ["secret"] },
  stripe: { required: ["secret"] },
  meta: { required: ["secret", "verifyToken"] },
  hmac: { required: ["secret", "header"], optional: ["algorithm", "encoding", "prefix"] },
  basic: { required: ["username", "password"] },
};

/** @param input validated against the contract */
export function checkVerification(input: VerificationInput): Verification | Refused {
  const { type, ...given } = input;
  const { required, optional = [] } = FIELDS[type];
  const errors: FieldError[] = [
    ...required
      .filter((field) => given[field] === undefined)
      .map((field) => ({ path: `verify.${field}`, message: "is required" })),
    ...Object.keys(given)
      .filter((field) => ![...required, ...optional].includes(field as VerificationField))
      .map((field) => ({ path: `verify.${field}`, message: `does not belong to type: ${type}` })),
  ];
  if (type === "standard" && given.secret !== undefined) {
    const message = standardSecretError(given.secret);
    if (message !== undefined) errors.push({ path: "verify.secret", message });
  }
  // RFC 7617 section 2: the first colon ends the name.
  if (given.username?.includes(":")) errors.push({ path: "verify.username", message: "must not contain a colon" });
  return refuseFields(errors) ?? complete(input);
}

function complete(input: VerificationInput): Verification {
  if (input.type !== "hmac") return input as Verification;
  const { type, algorithm = "sha256", encoding = "hex", prefix = "" } = input;
  return { type, secret: input.secret!, header: input.header!.toLowerCase(), algorithm, encoding, prefix };
}
