/** A retained payload for editing. Pure. */
import { toHex } from "./console/message-form.ts";

export interface Editable {
  format: "text" | "hex";
  text: string;
}

/** Text as text; as hex what a text field would change, such as `\r\n`, or cannot show. */
export function editableOf(payload: Uint8Array): Editable {
  const text = textOf(payload);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that text fields change
  if (text === undefined || /[\u0000-\u0008\u000b-\u001f\u007f]/.test(text)) {
    return { format: "hex", text: toHex(payload) };
  }
  return { format: "text", text };
}

/** The payload as UTF-8 text, with a byte order mark; undefined if it is not. */
export function textOf(payload: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(payload);
  } catch {
    return undefined;
  }
}

export function base64Of(payload: Uint8Array): string {
  let text = "";
  for (const byte of payload) text += String.fromCharCode(byte);
  return btoa(text);
}
