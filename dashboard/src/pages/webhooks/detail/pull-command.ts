/** Commands that take the deliveries of a pull webhook. Pure. */
import type { Webhook } from "causeway-mqtt/client";

/**
 * `listen` uses a pull webhook of its own on the same topics.
 * @param base URL of the bridge, with a slash at its end
 */
export function pullCommands(
  base: string,
  { id, topics }: Pick<Webhook, "id" | "topics">,
): { curl: string; listen: string } {
  const call = (what: string, body: string) =>
    `curl '${base}v1/webhooks/${id}/${what}' \\\n  -H "authorization: Bearer $CAUSEWAY_API_KEY" \\\n  -H 'content-type: application/json' -d '${body}'`;
  return {
    curl: [
      "# Takes up to 10 messages. Each must be acknowledged within 60 s, or it comes again.",
      call("pull", '{"max": 10, "waitSeconds": 20}'),
      "",
      "# Acknowledges one, with messageId and leaseToken of the response.",
      call("ack", '{"items": [{"messageId": "…", "leaseToken": "…"}]}'),
    ].join("\n"),
    listen: `causeway listen ${topics.map((topic) => `--topic ${quoted(topic)}`).join(" ")} --bridge ${quoted(base.replace(/\/$/, ""))}`,
  };
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
