/**
 * Checks the strings of a PUBLISH that make brokers close the connection, and with it every publish in progress: before
 * a message is accepted, and again before a stored one is sent, since an older version may have accepted it.
 */
import { mqttStringError, publishTopicError } from "../topic.ts";
import type { OutgoingMessage } from "./publish.ts";

export interface Fault {
  code: "invalid_topic" | "invalid_request";
  /** The field, e.g. `userProperties.name`. */
  path: string;
  message: string;
}

type Strings = Pick<OutgoingMessage, "topic" | "responseTopic" | "contentType" | "userProperties">;

/** @param topicError the rule for the topic; a preview, which does not publish, uses a milder one */
export function sendFault(message: Strings, topicError = publishTopicError): Fault | undefined {
  const { topic, responseTopic, contentType, userProperties } = message;
  return (
    faultOf("invalid_topic", "topic", topicError(topic)) ??
    faultOf(
      "invalid_topic",
      "responseTopic",
      responseTopic === undefined ? undefined : publishTopicError(responseTopic),
    ) ??
    faultOf("invalid_request", "contentType", contentType === undefined ? undefined : mqttStringError(contentType)) ??
    (userProperties && propertyFault(userProperties))
  );
}

function propertyFault(properties: NonNullable<OutgoingMessage["userProperties"]>): Fault | undefined {
  for (const [name, value] of Object.entries(properties)) {
    for (const text of [name, ...[value].flat()]) {
      const fault = faultOf("invalid_request", `userProperties.${name}`, mqttStringError(text));
      if (fault) return fault;
    }
  }
  return undefined;
}

function faultOf(code: Fault["code"], path: string, message: string | undefined): Fault | undefined {
  return message === undefined ? undefined : { code, path, message };
}
