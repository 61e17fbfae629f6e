/** Validates and encodes HTTP headers: MQTT allows any text in a topic, a content type or a property. Pure. */

/** `token` of RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Longest media type accepted from a device, in characters; RFC 6838 allows 127 each for type and subtype. */
const MAX_MEDIA_TYPE = 255;
const MEDIA_TYPE = new RegExp(
  "^[!#$&^_.+0-9A-Za-z-]+/[!#$&^_.+0-9A-Za-z-]+" +
    String.raw`(?:[ \t]*;[ \t]*[!#$%&'*+.^_|~0-9A-Za-z-]+=(?:[!#$%&'*+.^_|~0-9A-Za-z-]+|"[ !#-\[\]-~]*"))*$`,
);

/** Checks for a media type with optional parameters (RFC 9110 section 8.3.1), all in printable ASCII. */
export function isMediaType(text: string): boolean {
  return text.length <= MAX_MEDIA_TYPE && MEDIA_TYPE.test(text);
}

/** Checks for a JSON media type: subtype `json` or suffix `+json` (CloudEvents JSON format section 3.1.1). */
export function isJsonType(mediaType: string): boolean {
  return /^[^/;]+\/(?:[^;]*\+)?json[ \t]*(?:;|$)/i.test(mediaType);
}

/** Characters that need no encoding: printable ASCII without space, double quote and percent sign. */
const PLAIN = /^[!#$&-~]*$/;
const ENCODED = /[^!#$&-~]+/g;

/** Encodes every other character as the `%XX` of its UTF-8 bytes (CloudEvents HTTP binding section 3.1.3.2). */
export function percentEncode(value: string): string {
  return PLAIN.test(value) ? value : value.replace(ENCODED, encodeBytes);
}

function encodeBytes(text: string): string {
  // Buffer never throws, whereas encodeURIComponent throws on a lone surrogate.
  return Buffer.from(text, "utf8").toString("hex").toUpperCase().replace(/../g, "%$&");
}

/** Headers that the bridge or the HTTP client sets, or that concern the connection rather than the request. */
const RESERVED = new Set([
  ...["connection", "content-encoding", "content-length", "date", "expect", "host", "http2-settings"],
  ...["keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "traceparent", "trailer"],
  ...["transfer-encoding", "upgrade", "user-agent"],
]);
const RESERVED_PREFIX = /^(?:ce|webhook|causeway)-/;
/** Receivers commonly refuse headers of more than 8 or 16 KiB in total. */
const MAX_HEADER_VALUE = 4_096;

/** Whether a header of a webhook states the media type of its transform's results. */
export function isContentType(name: string): boolean {
  return name.toLowerCase() === "content-type";
}

/** Whether the media type means a CloudEvent in structured mode or a batch (CloudEvents HTTP binding section 3). */
export function isEventType(mediaType: string): boolean {
  return /^application\/cloudevents/i.test(mediaType);
}

/** Returns the reason why a webhook's own header cannot be sent; undefined when it can. */
export function headerError(name: string, value: string): string | undefined {
  if (!TOKEN.test(name) || name.length > 128) return "is not a valid header name";
  const lower = name.toLowerCase();
  if (RESERVED.has(lower) || RESERVED_PREFIX.test(lower)) return "is set by Causeway itself";
  if (!/^[\t\x20-\x7e]*$/.test(value)) return "must have a value of printable ASCII characters";
  if (value.length > MAX_HEADER_VALUE) return `must have a value of at most ${MAX_HEADER_VALUE} characters`;
  if (isContentType(name) && !isMediaType(value)) return "must be a media type such as text/csv; charset=utf-8";
  if (isContentType(name) && isEventType(value)) return "must not be a type of CloudEvents: the body is no event";
  return undefined;
}
