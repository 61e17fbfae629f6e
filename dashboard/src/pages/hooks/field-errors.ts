/** Refusals by the field of the form. Pure. */
import type { FieldError } from "causeway-mqtt/client";

/** A preview names fields below `hook`; several errors of a field are one text. */
export function fieldErrors(errors: readonly FieldError[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { path, message } of errors) {
    const field = path.replace(/^hook\./, "").replace(/^verify\./, "");
    found[field] = found[field] === undefined ? message : `${found[field]}. ${message}`;
  }
  return found;
}
