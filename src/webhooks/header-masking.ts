/** Masks header values that look like credentials; a mask may be sent back in place of its value. Pure. */
import { type FieldError, type Refused, refuseFields } from "../errors.ts";

export const MASK = "********";
const CREDENTIAL = /auth|cookie|credential|key|passw|secret|session|signature|token/i;

type Headers = Record<string, string>;

export function maskHeaders(headers: Headers): Headers {
  const masked = (name: string, value: string) => (CREDENTIAL.test(name) ? MASK : value);
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, masked(name, value)]));
}

/** Whether one of the values is masked. */
export function hasCredentials(headers: Headers): boolean {
  return Object.keys(headers).some((name) => CREDENTIAL.test(name));
}

/** Whether the value is the mask of a hidden value. */
export function isMask(name: string, value: string): boolean {
  return value === MASK && CREDENTIAL.test(name);
}

/**
 * Replaces masks with the current values, so that a response can be edited and sent back. Refuses a mask without a
 * current value.
 */
export function unmaskHeaders(given: Headers, current: Headers): Headers | Refused {
  const values = new Map(Object.entries(current).map(([name, value]) => [name.toLowerCase(), value]));
  const errors: FieldError[] = [];
  const entries = Object.entries(given).map(([name, value]) => {
    if (!isMask(name, value)) return [name, value];
    const kept = values.get(name.toLowerCase());
    const message = "is the mask of a hidden value, but no value is stored";
    if (kept === undefined) errors.push({ path: `headers.${name}`, message });
    return [name, kept ?? value];
  });
  return refuseFields(errors) ?? Object.fromEntries(entries);
}
