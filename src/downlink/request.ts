/** A prepared request to a device: its message, its response topic, and how its response is matched. */
import { Refused, refuseField } from "../errors.ts";
import { type Message, newId, type UserProperties, utf8Text } from "../message.ts";
import { checkedMessage, type MessageInput } from "./messages.ts";
import type { OutgoingMessage } from "./publish.ts";

/** The body, validated against the contract, with the defaults filled in. */
export interface RequestInput extends Omit<MessageInput, "retain" | "sendAt"> {
  match?: "correlation" | "topic" | "first";
  timeoutSeconds?: number;
}

/**
 * How a response is matched. `topic`: the first message on a topic that only this request uses. `correlation`: the
 * first message with its correlation data. `first`: the first message on the topic. `either`: by correlation data, or
 * the first message if it carries none; used when the broker's protocol version is not known at the time of the
 * request.
 */
export type Match = "topic" | "correlation" | "first" | "either";

export interface PreparedRequest {
  id: string;
  message: OutgoingMessage;
  responseTopic: string;
  /** Filter to subscribe to: the same for all requests with the same response topic template. */
  filter: string;
  match: Match;
  /** Base64. */
  correlation: string;
}

export interface PrepareRequestOptions {
  maxPayloadBytes: number;
  /** The broker's protocol version; undefined before the first connection. */
  protocol: "5" | "3.1.1" | undefined;
  /** Response topic for requests without one; contains {@link PLACEHOLDER}. */
  responseTopic: string;
}

export const PLACEHOLDER = "{requestId}";

export function prepareRequest(
  input: RequestInput,
  rawJson: string,
  options: PrepareRequestOptions,
): PreparedRequest | Refused {
  const id = newId("req");
  const fill = (text: string) => text.replaceAll(PLACEHOLDER, id);
  const template = input.responseTopic ?? options.responseTopic;
  const match = matchOf(input.match, template, options.protocol);
  if (match instanceof Refused) return match;
  const responseTopic = fill(template);
  const { payload } = input;
  const filled: MessageInput = {
    ...input,
    topic: fill(input.topic),
    responseTopic,
    ...(typeof payload === "string" && { payload: fill(payload) }),
  };
  // In JSON text, a placeholder in braces can occur only within strings.
  const message = checkedMessage(filled, fill(rawJson), options.maxPayloadBytes);
  if (message instanceof Refused) return message;
  message.id = id;
  message.correlationData ??= Buffer.from(id);
  return {
    id,
    message,
    responseTopic,
    filter: filterOf(template),
    match,
    correlation: message.correlationData.toString("base64"),
  };
}

function matchOf(
  wanted: RequestInput["match"],
  template: string,
  protocol: PrepareRequestOptions["protocol"],
): Match | Refused {
  const own = template.includes(PLACEHOLDER);
  if (own && template.split("/")[0]!.includes(PLACEHOLDER)) {
    return refuseField("invalid_request", "responseTopic", `must not contain ${PLACEHOLDER} in its first level`);
  }
  if (wanted === "topic" && !own) {
    return refuseField("invalid_request", "responseTopic", `must contain ${PLACEHOLDER} when match is topic`);
  }
  if (wanted === "correlation" && protocol === "3.1.1") {
    return refuseField("invalid_request", "match", "correlation requires MQTT 5, but the broker uses 3.1.1");
  }
  if (wanted) return wanted;
  if (own) return "topic";
  return protocol === "5" ? "correlation" : protocol === "3.1.1" ? "first" : "either";
}

function filterOf(template: string): string {
  return template
    .split("/")
    .map((level) => (level.includes(PLACEHOLDER) ? "+" : level))
    .join("/");
}

/** Whether a message on the request's response topic is its response. */
export function isResponseTo(
  { match, correlation }: Pick<PreparedRequest, "match" | "correlation">,
  message: Message,
): boolean {
  if (match === "topic" || match === "first") return true;
  const { correlationData } = message;
  if (correlationData === undefined) return match === "either";
  return correlationData.toString("base64") === correlation;
}

/** Finds the request that a message responds to; `first` requests match only if no other request does. */
export function findRequest<R extends Pick<PreparedRequest, "match" | "correlation">>(
  waiting: readonly R[],
  message: Message,
): R | undefined {
  const named = waiting.find((one) => one.match !== "first" && isResponseTo(one, message));
  return named ?? waiting.find((one) => isResponseTo(one, message));
}

/** The response as JSON; a payload that is JSON, but not a string, is embedded byte for byte. */
export function responseJson(message: Message): string {
  const { topic, payload, contentType, userProperties, receivedAt } = message;
  const rest = {
    ...statusOf(userProperties),
    ...(contentType !== undefined && { contentType }),
    ...(userProperties !== undefined && { userProperties }),
    receivedAt: new Date(receivedAt).toISOString(),
  };
  return `{"topic":${JSON.stringify(topic)},${payloadMember(payload)},${JSON.stringify(rest).slice(1)}`;
}

function payloadMember(payload: Buffer): string {
  const text = utf8Text(payload);
  if (text === undefined) return `"payloadBase64":"${payload.toString("base64")}"`;
  return `"payload":${isJsonButNoString(text) ? text : JSON.stringify(text)}`;
}

function isJsonButNoString(text: string): boolean {
  if (!/^[ \t\r\n]*[{[\-0-9tfn]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** How a device reports a failure: the user property `status`. */
function statusOf(properties: UserProperties | undefined): { status?: string } {
  const status = [properties?.status].flat()[0];
  return status === undefined ? {} : { status };
}
