/** Header values that look like credentials are not shown; the mask that stands for one may be sent back. Pure. */
import { type FieldError, fieldsProblem } from "../errors.ts";

export const MASK = "********";
const CREDENTIAL = /auth|cookie|credential|key|passw|secret|session|signature|token/i;

type Headers = Record<string, string>;

export function maskHeaders(headers: Headers): Headers {
  const shown = (name: string, value: string) => (CREDENTIAL.test(name) ? MASK : value);
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, shown(name, value)]));
}

/** Whether one of the values is not shown. */
export function hasCredentials(headers: Headers): boolean {
  return Object.keys(headers).some((name) => CREDENTIAL.test(name));
}

/** Whether the value stands for one that is not shown. */
export function isMask(name: string, value: string): boolean {
  return value === MASK && CREDENTIAL.test(name);
}

/**
 * Puts the values that are there in the place of their masks, so that what was read can be changed and sent back.
 * @throws Problem where a mask stands for nothing
 */
export function unmaskHeaders(given: Headers, current: Headers): Headers {
  const values = new Map(Object.entries(current).map(([name, value]) => [name.toLowerCase(), value]));
  const errors: FieldError[] = [];
  const entries = Object.entries(given).map(([name, value]) => {
    if (!isMask(name, value)) return [name, value];
    const kept = values.get(name.toLowerCase());
    const message = "is the mask of a value that is not shown, and there is none to keep";
    if (kept === undefined) errors.push({ path: `headers.${name}`, message });
    return [name, kept ?? value];
  });
  if (errors.length > 0) throw fieldsProblem(errors);
  return Object.fromEntries(entries);
}
