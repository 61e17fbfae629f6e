/** A call of a hook: the document that its expressions see, and its payload without an expression. */
import { isUtf8 } from "node:buffer";
import type { HookMethod } from "./hook.ts";

export interface HookCall {
  method: HookMethod;
  query: Record<string, unknown>;
  /** By lower-case name; a repeated header is one text, joined with commas. */
  headers: Record<string, string | undefined>;
  /** As received. */
  body: Buffer;
  /** Address of the client, for the limit of failed verifications. */
  address: string;
}

/** The body as the expressions see it, and as a payload. */
export interface ReadBody {
  /** JSON value, fields of a form, or text; absent for anything else. */
  value?: unknown;
  /** Fields of a form, which are part of `params`. */
  fields?: Record<string, unknown>;
  payload: Buffer;
  contentType: string | undefined;
}

/** Headers with credentials of the call, or of other hops. */
const HIDDEN = new Set(["authorization", "proxy-authorization", "cookie", "x-gitlab-token"]);

/** The document as JSON: `{method, query, headers, body, params}`. */
export function documentOf({ method, query, headers }: HookCall, { value, fields }: ReadBody): string {
  const shown = Object.entries(headers).filter(([name]) => !HIDDEN.has(name));
  const params = Object.fromEntries([...Object.entries(query), ...Object.entries(fields ?? {})]);
  return JSON.stringify({ method, query, headers: Object.fromEntries(shown), body: value, params });
}

/** Reads the body by its content type; undefined if it is not what the type says. */
export async function readBody({ headers, body }: Pick<HookCall, "headers" | "body">): Promise<ReadBody | undefined> {
  const contentType = headers["content-type"];
  const raw = { payload: body, contentType };
  const [type = ""] = (contentType ?? "").toLowerCase().split(";", 1);
  const media = type.trim();
  if (body.length === 0) return raw;
  if (media === "application/json" || media.endsWith("+json")) return withJson(raw);
  if (media === "application/x-www-form-urlencoded") {
    const fields = grouped(new URLSearchParams(body.toString()));
    return { ...raw, value: fields, fields };
  }
  if (media === "multipart/form-data") return withParts(raw);
  return isUtf8(body) ? { ...raw, value: body.toString() } : raw;
}

function withJson(raw: ReadBody): ReadBody | undefined {
  if (!isUtf8(raw.payload)) return undefined;
  try {
    return { ...raw, value: JSON.parse(raw.payload.toString()) };
  } catch {
    return undefined;
  }
}

/** Fields and files. The first file is the payload: doorbells and media servers send their pictures so. */
async function withParts(raw: ReadBody): Promise<ReadBody | undefined> {
  // The runtime's own parser; the size of the body bounds its work.
  const headers = { "content-type": raw.contentType! };
  const form = await new Response(new Uint8Array(raw.payload), { headers }).formData().catch(() => undefined);
  if (!form) return undefined;
  const parts: [string, unknown][] = [];
  let file: { payload: Buffer; contentType: string | undefined } | undefined;
  for (const [name, part] of form) {
    if (typeof part === "string") parts.push([name, part]);
    else {
      file ??= { payload: Buffer.from(await part.arrayBuffer()), contentType: part.type || undefined };
      parts.push([name, { filename: part.name, contentType: part.type, size: part.size }]);
    }
  }
  const fields = grouped(parts);
  return { ...raw, ...file, value: fields, fields };
}

/** A name that occurs several times has an array. Own properties only, whatever the names are. */
function grouped(entries: Iterable<[string, unknown]>): Record<string, unknown> {
  const values = new Map<string, unknown[]>();
  for (const [name, value] of entries) values.set(name, [...(values.get(name) ?? []), value]);
  return Object.fromEntries([...values].map(([name, all]) => [name, all.length === 1 ? all[0] : all]));
}
