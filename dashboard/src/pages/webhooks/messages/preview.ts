/** Results of previews. Pure. */
import type { Preview, Problem } from "causeway-mqtt/client";

/** Outcome of the preview of one message; a problem if the message itself was refused. */
export type PreviewResult = Preview | Problem;

export function isProblem(result: PreviewResult): result is Problem {
  return "code" in result;
}

/** Refused fields by their path below `webhook`, in the API's words. */
export function fieldErrors(errors: readonly { path: string; message: string }[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { path, message } of errors) found[path.replace(/^webhook\.?/, "")] ??= message;
  return found;
}

/** Which expression failed, from an error such as `filter_error: …`. */
export function expressionError({
  error = "",
}: Preview): { field: "filter" | "transform" | "url"; message: string } | undefined {
  const [, field, message] = /^(filter|transform|url)_error: (.*)$/s.exec(error) ?? [];
  if (field === undefined) return undefined;
  return { field: field as "filter" | "transform" | "url", message: message! };
}

/** `32 of 50 messages pass`, and how many fail. */
export function passesInWords(results: readonly PreviewResult[]): string {
  const passed = results.filter((result) => !isProblem(result) && result.outcome === "sent").length;
  const failed = results.filter((result) => isProblem(result) || result.outcome === "failed").length;
  const words = `${passed} of ${results.length} ${results.length === 1 ? "message passes" : "messages pass"}`;
  return failed === 0 ? words : `${words}, ${failed} ${failed === 1 ? "fails" : "fail"}`;
}
