/** Parts of a URL that must not appear in any log line, response or terminal. */

/** Query parameters that may contain a password or a signature; ioredis reads options from the query. */
const SECRET_PARAMETER = /pass|secret|token|key|auth|sign|credential/i;

export function secretsOfUrl(text: string): string[] {
  const { password, searchParams } = new URL(text);
  const values = [...searchParams].flatMap(([name, value]) => (SECRET_PARAMETER.test(name) ? [value] : []));
  // The original spelling as well: the URL class normalizes some characters.
  const written = /^[^:/]*:\/\/[^:@/]*:([^@/]*)@/.exec(text)?.[1] ?? "";
  return [password, decode(password), written, decode(written), ...values];
}

/** Percent-decodes the text if possible. */
export function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
