/** Parts of a URL that no log line, response or terminal may show. */

/** Parameters in which a password or a signature may stand; ioredis reads options from the query. */
const SECRET_PARAMETER = /pass|secret|token|key|auth|sign|credential/i;

export function secretsOfUrl(text: string): string[] {
  const { password, searchParams } = new URL(text);
  const values = [...searchParams].flatMap(([name, value]) => (SECRET_PARAMETER.test(name) ? [value] : []));
  // As it was written, too: the URL class writes some characters in another form.
  const written = /^[^:/]*:\/\/[^:@/]*:([^@/]*)@/.exec(text)?.[1] ?? "";
  return [password, decode(password), written, decode(written), ...values];
}

/** Percent-decoded where that is possible. */
export function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
