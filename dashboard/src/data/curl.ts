/** The request of an attempt as a command. Pure. */
import type { DeliveryDetail, Webhook } from "causeway-mqtt/client";

type Attempt = DeliveryDetail["attemptLog"][number];
type Message = DeliveryDetail["message"];

const MASK = "********";
/** Systems limit the length of an argument, Linux to 128 KiB. */
const MAX_ARGUMENT = 32_768;
/** Set by curl itself or by the connection. */
const OWN = /^(?:content-length|host|connection|transfer-encoding)$/i;

/**
 * Returns a command that sends the request again, with variables of the shell in the place of masked secrets. The
 * bridge keeps no bodies: only a body that is the payload itself is included, otherwise it is read from a file.
 */
export function curlOf(
  { request }: Attempt,
  message: Message,
  webhook: Pick<Webhook, "mode" | "transform" | "batch"> | undefined,
): string | undefined {
  if (!request) return undefined;
  const isText =
    message.payload !== undefined && message.payload.length <= MAX_ARGUMENT && !message.payload.includes("\0");
  const isPayload = webhook?.mode === "binary" && !webhook.transform && !webhook.batch && isText;
  const lines = [`curl -X ${request.method} ${quote(request.url)}`];
  for (const [name, value] of Object.entries(request.headers)) {
    if (!OWN.test(name)) lines.push(`-H ${quote(`${name}: ${value}`, variableOf(name))}`);
  }
  if (isPayload) lines.push(`--data-raw ${quote(message.payload!)}`);
  else lines.push("--data-binary @body");
  const note = isPayload ? "" : "# The bridge keeps no request bodies: put the body into the file body.\n";
  return note + lines.join(" \\\n  ");
}

/** `webhook-signature` becomes `WEBHOOK_SIGNATURE`. */
function variableOf(header: string): string {
  return header.toUpperCase().replace(/\W/g, "_");
}

/** Quotes for a POSIX shell. @param variable stands for the masked parts */
function quote(text: string, variable = "SECRET"): string {
  const parts = text.split(MASK).map((part) => (part === "" ? "" : `'${part.replaceAll("'", "'\\''")}'`));
  return parts.join(`"$${variable}"`) || "''";
}
