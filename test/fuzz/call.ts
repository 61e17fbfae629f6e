/** One call of the fuzzer, and a command that repeats it. */
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Rights of a key, as the API returned them when it created the key. */
export interface KnownKey {
  id: string;
  key: string;
  scopes: string[];
  publish: string[];
  read: string[];
  rateLimit: object | null;
}

export interface Call {
  number: number;
  /** The `operationId`; undefined if the contract has no such path or method. */
  operation?: string;
  method: string;
  path: string;
  headers: [name: string, value: string][];
  body?: Buffer;
  /** Owner of the key: the initial key, a created one, or no valid key. */
  caller: KnownKey | "root" | "none";
  /** Bytes to write, for a call on a raw socket. */
  raw?: RawCall;
}

export interface RawCall {
  name: string;
  chunks: Buffer[];
  /** Milliseconds between two chunks. */
  gapMs: number;
  /** After the last chunk: the socket is half closed, destroyed, or left open until the server closes it. */
  end: "finish" | "destroy" | "wait";
  /** Required number of responses; absent: any number. */
  answers?: number;
}

const LONGEST_LINE = 2_000;

/** Returns a command that repeats the call; writes a long one to a file. */
export function toCommand(call: Call, url: string, seed: number): string {
  const command = call.raw ? rawCommand(call.raw, url) : curl(call, url);
  if (command.length <= LONGEST_LINE) return command;
  const file = join(tmpdir(), `causeway-fuzz-${seed}-${call.number}.sh`);
  writeFileSync(file, `${command}\n`);
  return `bash ${file}`;
}

function curl({ method, path, headers, body }: Call, url: string): string {
  const options = headers.flatMap(([name, value]) => ["-H", quote(value === "" ? `${name};` : `${name}: ${value}`)]);
  const parts = ["curl -isS --globoff --path-as-is --max-time 20 -X", method, ...options];
  // Without this header curl adds a content type.
  if (body && !headers.some(([name]) => name.toLowerCase() === "content-type")) parts.push("-H content-type:");
  if (!body) return [...parts, quote(url + path)].join(" ");
  const text = body.toString();
  const isText = Buffer.from(text).equals(body) && !text.includes("\0");
  if (isText) return [...parts, "--data-binary", quote(text.replace(/^@/, " @")), quote(url + path)].join(" ");
  return `base64 -d <<<${body.toString("base64")} | ${[...parts, "--data-binary @-", quote(url + path)].join(" ")}`;
}

function rawCommand({ chunks }: RawCall, url: string): string {
  const { hostname, port } = new URL(url);
  return `base64 -d <<<${Buffer.concat(chunks).toString("base64")} | nc -q 2 ${hostname} ${port}`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
