/** Calls on raw sockets: data that is not HTTP, or HTTP that no library would send. */
import type { Call, RawCall } from "./call.ts";
import type { Random } from "./random.ts";

type Form = Omit<RawCall, "name" | "chunks"> & { chunks: (string | Buffer)[] };

/** No delay between the chunks, and a half-close after the last one. */
const AT_ONCE = { gapMs: 0, end: "finish" } as const;

export function rawCall(random: Random, number: number, apiKey: string): Call {
  const forms = formsFor(random, apiKey);
  const name = random.pick(Object.keys(forms));
  const { chunks, ...form } = forms[name]!;
  const raw = { name, ...form, chunks: chunks.map((chunk) => Buffer.from(chunk as string, "latin1")) };
  return { number, method: "RAW", path: name, headers: [], caller: "root", raw };
}

function formsFor(random: Random, apiKey: string): Record<string, Form> {
  const host = "Host: fuzz\r\n";
  const key = `Authorization: Bearer ${apiKey}\r\n`;
  const json = "Content-Type: application/json\r\n";
  const body = '{"topic":"fuzz/1/state","payload":"raw"}';
  const post = (more: string) => `POST /v1/messages HTTP/1.1\r\n${host}${key}${json}${more}\r\n`;
  const get = (more = "") => `GET /healthz HTTP/1.1\r\n${host}${more}\r\n`;
  const full = post(`Content-Length: ${body.length}\r\n`) + body;
  const once = (...chunks: (string | Buffer)[]): Form => ({ chunks, ...AT_ONCE });
  const noise = Buffer.from(Array.from({ length: 1 + random.below(3_000) }, () => random.below(256)));
  const cut = 1 + random.below(full.length - 1);
  return {
    noise: once(noise),
    tls: once(Buffer.from("16030100a5010000a10303", "hex"), noise),
    mqtt: once(Buffer.from("101000044d5154540402003c000466757a7a", "hex")),
    "http 0.9": once("GET /healthz\r\n\r\n"),
    "http 1.0": { ...once("GET /healthz HTTP/1.0\r\n\r\n"), answers: 1 },
    "http 2": once("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "http 9.9": once("GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n"),
    "no host": once("GET /healthz HTTP/1.1\r\n\r\n"),
    "two hosts": once(get("Host: other\r\n")),
    connect: once("CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n"),
    "absolute form": once(`GET http://other/healthz HTTP/1.1\r\n${host}\r\n`),
    asterisk: once(`OPTIONS * HTTP/1.1\r\n${host}\r\n`),
    "no slash": once(`GET healthz HTTP/1.1\r\n${host}\r\n`),
    "unknown method": once(`${"X".repeat(random.pick([3, 3_000]))} / HTTP/1.1\r\n${host}\r\n`),
    "lone line feeds": once(get().replaceAll("\r\n", "\n")),
    "folded header": once(get("x-a: 1\r\n 2\r\n")),
    "null in a header": once(get("x-a: 1\x002\r\n")),
    "blank in a name": once(get("x a: 1\r\n")),
    "blank before the colon": once(get("Content-Length : 5\r\n")),
    "empty name": once(get(": 1\r\n")),
    "huge header": once(get(`x-a: ${"x".repeat(random.pick([200_000, 300_000, 2_000_000]))}\r\n`)),
    "many headers": once(get(Array.from({ length: 5_000 }, (_, i) => `x-${i}: ${i}\r\n`).join(""))),
    "huge path": once(`GET /${"a".repeat(400_000)} HTTP/1.1\r\n${host}\r\n`),
    "bytes in the path": once(`GET /v1/topics/\xff\x80\x01 HTTP/1.1\r\n${host}${key}\r\n`),
    "length too short": once(post("Content-Length: 5\r\n") + body),
    "length too long": once(post("Content-Length: 5000\r\n") + body),
    "length enormous": once(post("Content-Length: 99999999999999999999\r\n") + body),
    "length negative": once(post("Content-Length: -1\r\n") + body),
    "length in hex": once(post("Content-Length: 0x20\r\n") + body),
    "length twice": once(post(`Content-Length: ${body.length}\r\nContent-Length: 3\r\n`) + body),
    "length and chunks": once(`${post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n")}0\r\n\r\n${get()}`),
    "unknown encoding": once(post("Transfer-Encoding: gzip\r\n") + body),
    "chunked twice": once(
      `${post("Transfer-Encoding: chunked, chunked\r\n")}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    ),
    chunks: { ...once(post("Transfer-Encoding: chunked\r\n"), ...chunked(body, "")), answers: 1 },
    "chunks with extensions": once(
      post("Transfer-Encoding: chunked\r\n"),
      ...chunked(body, `;x=${"y".repeat(20_000)}`),
    ),
    "chunk size nonsense": once(`${post("Transfer-Encoding: chunked\r\n")}zz\r\n${body}\r\n0\r\n\r\n`),
    "chunk size enormous": once(`${post("Transfer-Encoding: chunked\r\n")}ffffffffffffffff1\r\n${body}`),
    "chunk longer than said": once(`${post("Transfer-Encoding: chunked\r\n")}3\r\n${body}\r\n0\r\n\r\n`),
    "endless trailers": once(`${post("Transfer-Encoding: chunked\r\n")}0\r\n${"x: y\r\n".repeat(50_000)}`),
    pipelined: { ...once(get().repeat(20) + full), answers: 21 },
    "pipelined with a bad one": once(full + get("x a: 1\r\n") + full),
    "hangs up in the middle": { chunks: [full.slice(0, cut)], gapMs: 0, end: "destroy" },
    "half closed in the middle": once(full.slice(0, cut)),
    "hangs up before the answer": { chunks: [full], gapMs: 0, end: "destroy" },
    "byte by byte": { chunks: [...full], gapMs: 1, end: "finish", answers: 1 },
    "stops in the headers": { chunks: [full.slice(0, 60)], gapMs: 0, end: "wait" },
    "stops in the body": { chunks: [full.slice(0, -3)], gapMs: 0, end: "wait" },
    "says nothing": { chunks: [], gapMs: 0, end: "wait" },
    "lines that stop": {
      chunks: [
        `POST /v1/messages/batch HTTP/1.1\r\n${host}${key}Content-Type: application/x-ndjson\r\n`,
        "Transfer-Encoding: chunked\r\n\r\n",
        '5\r\n{"top\r\n',
      ],
      gapMs: 5,
      end: "destroy",
    },
    "stream that is not read": {
      chunks: [`GET /v1/stream?topic=fuzz/%23 HTTP/1.1\r\n${host}${key}\r\n`],
      gapMs: 0,
      end: "destroy",
    },
  };
}

function chunked(body: string, extension: string): string[] {
  const pieces = body.match(/.{1,7}/gs)!.map((piece) => `${piece.length.toString(16)}${extension}\r\n${piece}\r\n`);
  return [...pieces, "0\r\n\r\n"];
}
