/** The MQTT payload of a CloudEvent. */
import type { CloudEvent } from "./types.ts";

/** JSON payloads as they were sent. Parsing and writing them again would change `1.10` and large integers. */
const rawTexts = new WeakMap<CloudEvent, string>();

const DATA = ',"data":';

/** Parses an event and remembers the text of its JSON payload for {@link payloadText}. */
export function parseEvent(json: string): CloudEvent {
  const event = JSON.parse(json) as CloudEvent;
  // `data` is the last member. Earlier ones are no objects, and quotation marks inside their strings are escaped, so
  // the first match is `data` itself.
  const at = json.indexOf(DATA);
  if (isJson(event) && at !== -1) rawTexts.set(event, json.slice(at + DATA.length, json.lastIndexOf("}")));
  return event;
}

/** The payload as text. JSON from a stream is exactly the text that the device sent. */
export function payloadText(event: CloudEvent): string {
  if (event.data_base64 !== undefined) return new TextDecoder().decode(payloadBytes(event));
  if (event.data === undefined) return "";
  if (!isJson(event)) return String(event.data);
  return rawTexts.get(event) ?? JSON.stringify(event.data);
}

/** The payload as a JSON value. @throws SyntaxError if it is not JSON */
export function payloadJson<T = unknown>(event: CloudEvent): T {
  return (isJson(event) && event.data !== undefined ? event.data : JSON.parse(payloadText(event))) as T;
}

export function payloadBytes(event: CloudEvent): Uint8Array {
  if (event.data_base64 === undefined) return new TextEncoder().encode(payloadText(event));
  return Uint8Array.from(atob(event.data_base64), (character) => character.charCodeAt(0));
}

/** Whether `data` is a JSON value; otherwise it is text (CloudEvents JSON format section 3.1.1). */
function isJson({ datacontenttype }: CloudEvent): boolean {
  return datacontenttype === undefined || /^[^/;]+\/(?:[^;]*\+)?json[ \t]*(?:;|$)/i.test(datacontenttype);
}
