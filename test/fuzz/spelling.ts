/** Spellings of paths, and additional headers. */
import type { Call } from "./call.ts";
import type { Random } from "./random.ts";

/** Encodes a topic for a path: percent-encoded fully, per level, twice, or only as far as HTTP requires. */
export function inPath(random: Random, text: string): string {
  return random.weighted([
    [6, encode(text)],
    [6, text.split("/").map(encode).join("/")],
    [1, encode(encode(text))],
    [
      1,
      Buffer.from(text)
        .toString("latin1")
        .replaceAll(/[^!-~\x80-\xff]|[?#]/g, "%20"),
    ],
  ] as const);
}

/** Like `encodeURIComponent`; a lone surrogate becomes three bytes that are not valid UTF-8. */
export function encode(text: string): string {
  if (text.isWellFormed()) return encodeURIComponent(text);
  return [...text].map((one) => (one.isWellFormed() ? encodeURIComponent(one) : "%ED%A0%80")).join("");
}

export function otherHeaders(random: Random): Call["headers"] {
  return random.pick<Call["headers"]>([
    [["Accept", random.pick(["text/html", "*/*;q=0", "nonsense"])]],
    [["Accept-Encoding", "gzip, br"]],
    [["Content-Encoding", random.pick(["gzip", "identity", "x"])]],
    [["Expect", random.pick(["100-continue", "nonsense"])]],
    [["X-HTTP-Method-Override", "DELETE"]],
    [
      ["X-Forwarded-Prefix", "//evil"],
      ["X-Forwarded-For", "127.0.0.1"],
    ],
    [["Content-Type", "text/plain"]],
    [["Authorization", "Bearer x"]],
    [
      ["Upgrade", "websocket"],
      ["Connection", "upgrade"],
    ],
    [["Range", "bytes=0-1"]],
    [["If-None-Match", random.pick(["*", '"x"', 'W/"x", "y"', ""])]],
    [
      ["x-fuzz", "é\u00ff"],
      ["x-fuzz", "twice"],
    ],
    [["Cookie", "__proto__=1; a"]],
    Array.from({ length: 200 }, (_, i) => [`x-${i}`, "x".repeat(100)]),
    [["traceparent", "00-x"]],
  ]);
}
