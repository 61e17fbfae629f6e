/** What may stand in an HTTP header: MQTT lets a device put any text into a topic, a content type or a property. Pure. */

/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Longest media type taken over from a device, in characters; RFC 6838 allows 127 each for type and subtype. */
const MAX_MEDIA_TYPE = 255;
const MEDIA_TYPE = new RegExp(
  "^[!#$&^_.+0-9A-Za-z-]+/[!#$&^_.+0-9A-Za-z-]+" +
    String.raw`(?:[ \t]*;[ \t]*[!#$%&'*+.^_|~0-9A-Za-z-]+=(?:[!#$%&'*+.^_|~0-9A-Za-z-]+|"[ !#-\[\]-~]*"))*$`,
);

/** Whether the text is a media type with optional parameters (RFC 9110 section 8.3.1), all printable ASCII. */
export function isMediaType(text: string): boolean {
  return text.length <= MAX_MEDIA_TYPE && MEDIA_TYPE.test(text);
}

/** Whether a media type declares JSON: subtype `json` or suffix `+json` (CloudEvents JSON format section 3.1.1). */
export function isJsonType(mediaType: string): boolean {
  return /^[^/;]+\/(?:[^;]*\+)?json[ \t]*(?:;|$)/i.test(mediaType);
}

/** Printable ASCII without space, double quote and percent sign stands for itself. */
const PLAIN = /^[!#$&-~]*$/;
const ENCODED = /[^!#$&-~]+/g;

/** CloudEvents HTTP binding section 3.1.3.2: everything else becomes the `%XX` of its UTF-8 bytes. */
export function percentEncode(value: string): string {
  return PLAIN.test(value) ? value : value.replace(ENCODED, encodeBytes);
}

function encodeBytes(text: string): string {
  // Through Buffer, which never throws: encodeURIComponent does on a lone surrogate, and it leaves spaces to %20 only.
  return Buffer.from(text, "utf8").toString("hex").toUpperCase().replace(/../g, "%$&");
}

/** Set by the bridge or by the HTTP client, or about the connection rather than the request. */
const RESERVED = new Set([
  ...["connection", "content-encoding", "content-length", "content-type", "date", "expect", "host", "http2-settings"],
  ...["keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "traceparent", "trailer"],
  ...["transfer-encoding", "upgrade", "user-agent"],
]);
const RESERVED_PREFIX = /^(?:ce|webhook|causeway)-/;
/** Receivers commonly refuse headers of more than 8 or 16 KiB altogether. */
const MAX_HEADER_VALUE = 4_096;

/** What is wrong with a header that a webhook wants to be called with; undefined when it can be sent. */
export function headerError(name: string, value: string): string | undefined {
  if (!TOKEN.test(name) || name.length > 128) return "is not a valid header name";
  const lower = name.toLowerCase();
  if (RESERVED.has(lower) || RESERVED_PREFIX.test(lower)) return "is set by Causeway itself";
  if (!/^[\t\x20-\x7e]*$/.test(value)) return "must have a value of printable ASCII characters";
  if (value.length > MAX_HEADER_VALUE) return `must have a value of at most ${MAX_HEADER_VALUE} characters`;
  return undefined;
}
