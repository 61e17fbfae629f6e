/** One call of the fuzz, and how a person repeats it. */
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What a key may do, as the API said when it made the key. */
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
  /** The `operationId`; undefined where the contract has nothing at this path for this method. */
  operation?: string;
  method: string;
  path: string;
  headers: [name: string, value: string][];
  body?: Buffer;
  /** Whose key it carries: the first key of all, one that was made, or none that is good. */
  caller: KnownKey | "root" | "none";
  /** Of a call on a socket of its own: what is written, piece by piece. */
  raw?: RawCall;
}

export interface RawCall {
  name: string;
  chunks: Buffer[];
  /** Milliseconds between two pieces. */
  gapMs: number;
  /** After the last piece: the socket is half closed, destroyed, or left as it is until the server ends it. */
  end: "finish" | "destroy" | "wait";
  /** How many answers have to come; absent: any number. */
  answers?: number;
}

const LONGEST_LINE = 2_000;

/** A command that sends the call again; a long one is written to a file. */
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
  // Without this curl gives the body a content type.
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
