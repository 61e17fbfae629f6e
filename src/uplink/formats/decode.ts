/** Decodes the payload of a message in the format of its webhook, before filter and transform. */
import { decodePayload } from "../../formats/formats.ts";
import type { Birth } from "../../formats/sparkplug/decode.ts";
import type { Webhook } from "../../webhooks/webhook.ts";
import type { DeliveredMessage } from "../queue/job.ts";
import { isState, sparkplugTopic } from "./topic.ts";

export interface DecodePorts {
  births: { before(source: string, messageId: string): Promise<Birth | undefined> };
  maxPayloadBytes: number;
}

/** Rejects when the store cannot be read. Not a promise unless it must be: most messages need no decoding. */
export type Decode = (webhook: Webhook, message: DeliveredMessage) => DeliveredMessage | Promise<DeliveredMessage>;

/** JSON is longer than the binary formats; a payload that is more than this many times as long is hostile. */
const JSON_FACTOR = 4;

export function createDecode({ births, maxPayloadBytes }: DecodePorts): Decode {
  const maxChars = JSON_FACTOR * maxPayloadBytes;

  return (webhook, message) => {
    const { payloadFormat: format = "auto" } = webhook;
    // The bridge's own events are JSON.
    if (format === "auto" || message.type !== undefined) return message;
    const decode = (birth?: Birth): DeliveredMessage => {
      const decoded = decodePayload(format, message.payload, { maxChars, birth });
      if ("error" in decoded) return { ...message, decodeError: decoded.error };
      return { ...message, payload: Buffer.from(decoded.json), contentType: "application/json" };
    };
    if (format !== "sparkplug") return decode();
    if (isState(message.topic)) return message;
    const topic = sparkplugTopic(message.topic);
    return topic ? births.before(topic.source, message.id).then(decode) : decode();
  };
}
