/** A payload as bytes and the ways to show it. Pure. */

export interface PayloadContent {
  /** The payload, if it is text. */
  text?: string | undefined;
  /** The payload in base64, if it is not text. */
  base64?: string | undefined;
}

export type View = "json" | "text" | "hex";

export interface Payload {
  bytes: Uint8Array<ArrayBuffer>;
  /** Undefined if the bytes are not UTF-8. */
  text: string | undefined;
  /** The views that make sense, the best one first. */
  views: readonly View[];
}

const HEX_ROW = 16;

export function readPayload({ text, base64 }: PayloadContent): Payload {
  const bytes = base64 === undefined ? new TextEncoder().encode(text ?? "") : fromBase64(base64);
  const decoded = base64 === undefined ? (text ?? "") : decode(bytes);
  return { bytes, text: decoded, views: viewsOf(decoded) };
}

function viewsOf(text: string | undefined): View[] {
  if (text === undefined) return ["hex"];
  if (text.includes("\0")) return ["hex", "text"];
  return isJson(text) ? ["json", "text", "hex"] : ["text", "hex"];
}

/** Whether the text is a JSON object or array. Only asks: the parsed value is dropped. */
function isJson(text: string): boolean {
  if (!/^[ \t\r\n]*[{[]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function fromBase64(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

/** Undefined if the bytes are not UTF-8. */
function decode(bytes: Uint8Array<ArrayBuffer>): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** `00000010  7b 22 61 22 3a 31 7d …  {"a":1}`: offset, bytes, and printable ASCII. */
export function hexDump(bytes: Uint8Array): string {
  const rows: string[] = [];
  for (let at = 0; at < bytes.length; at += HEX_ROW) {
    const row = [...bytes.subarray(at, at + HEX_ROW)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const ascii = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
    rows.push(`${at.toString(16).padStart(8, "0")}  ${hex.padEnd(HEX_ROW * 3 - 1)}  ${ascii}`);
  }
  return rows.join("\n");
}

/** Cuts text, but never between the two halves of a character. */
export function cutText(text: string, length: number): string {
  if (text.length <= length) return text;
  const last = text.charCodeAt(length - 1);
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? length - 1 : length);
}

export function fileNameOf(name: string, view: View | undefined): string {
  return `${name.replace(/[^\w.-]+/g, "_")}.${view === "json" ? "json" : view === "text" ? "txt" : "bin"}`;
}
