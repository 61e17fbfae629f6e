/** Sends calls exactly as generated, and collects the responses. */
import { Agent, type IncomingHttpHeaders, request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { openSocket } from "../support/attack.ts";
import type { Call, RawCall } from "./call.ts";

export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** The body is incomplete, because either side closed the connection. */
  cut: boolean;
}

/** All responses to a call; a raw call may have none or several. */
export interface Outcome {
  replies: Reply[];
  /** Reason for a missing response. */
  error?: string;
  tookMs: number;
}

/** Longer than any generated call should take; a request waits for a device for a second at most. */
const PATIENCE_MS = 15_000;
/** Duration of reading a stream. */
const STREAM_MS = 150;
/** Limit of a raw call that gets no response and does not wait for the server to close the connection. */
const RAW_MS = 2_000;
/** Limit of raw calls that wait for the server to close the connection; they wait concurrently in the background. */
const WAITING_MS = 20_000;

export class Sender {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  readonly #waiting = new Set<Promise<string | undefined>>();

  constructor(private readonly url: URL) {}

  async send(call: Call): Promise<Outcome> {
    const startedAt = performance.now();
    const outcome = await (call.raw ? this.#sendRaw(call.raw) : this.#request(call));
    return { ...outcome, tookMs: performance.now() - startedAt };
  }

  /** Returns the faults of the sockets that wait for the server to close them. */
  async waited(): Promise<string[]> {
    const found = await Promise.all(this.#waiting);
    this.#waiting.clear();
    return found.flatMap((one) => one ?? []);
  }

  close(): void {
    this.#agent.destroy();
  }

  #request({ method, path, headers, body, operation }: Call): Promise<Omit<Outcome, "tookMs">> {
    return new Promise((resolve) => {
      const flat = headers.flat();
      // Node adds neither header if the headers are a list.
      flat.push("Host", this.url.host);
      if (body || ["POST", "PUT", "PATCH"].includes(method)) flat.push("Content-Length", String(body?.length ?? 0));
      const { hostname, port } = this.url;
      const sent = request({ hostname, port, method, path, headers: flat, agent: this.#agent }, (response) => {
        const chunks: Buffer[] = [];
        const done = (cut: boolean) => {
          clearTimeout(timer);
          const { statusCode = 0 } = response;
          resolve({ replies: [{ status: statusCode, headers: response.headers, body: Buffer.concat(chunks), cut }] });
        };
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => done(false));
        response.on("error", () => {}); // "close" follows
        response.on("close", () => done(!response.complete));
        if (operation === "openStream" && response.statusCode === 200) setTimeout(() => response.destroy(), STREAM_MS);
      });
      const timer = setTimeout(() => sent.destroy(new Error(`no answer within ${PATIENCE_MS} ms`)), PATIENCE_MS);
      sent.on("error", (error) => {
        clearTimeout(timer);
        resolve({ replies: [], error: error.message });
      });
      sent.end(body);
    });
  }

  async #sendRaw({ chunks, gapMs, end, answers, name }: RawCall): Promise<Omit<Outcome, "tookMs">> {
    const connection = openSocket(Number(this.url.port));
    for (const chunk of chunks) {
      if (!(await connection.push(chunk))) break;
      if (gapMs > 0) await delay(gapMs);
    }
    if (end === "wait") {
      const late = delay(WAITING_MS, `${name}: the connection is still open after ${WAITING_MS} ms`, { ref: false });
      // The server allows two minutes for a body; this connection ends with this process.
      const ended = name === "stops in the body" ? undefined : Promise.race([connection.closed, late]);
      if (ended) this.#waiting.add(ended.then((why) => why ?? undefined));
      return { replies: [] };
    }
    if (end === "destroy") {
      connection.socket.destroy();
      await connection.closed;
      return { replies: [] };
    }
    if (answers === undefined) {
      connection.socket.end();
      await Promise.race([connection.closed, delay(RAW_MS, undefined, { ref: false })]);
    } else {
      // A client that has closed its half gets no further response.
      const late = delay(PATIENCE_MS, undefined, { ref: false });
      await Promise.race([connection.closed, late, untilAnswers(connection, answers)]);
    }
    connection.socket.destroy();
    const replies = repliesIn(connection.received);
    if (answers === undefined || replies.length === answers) return { replies };
    return { replies, error: `${replies.length} answers instead of ${answers}` };
  }
}

async function untilAnswers(
  connection: { readonly received: string; closed: Promise<void> },
  answers: number,
): Promise<void> {
  let open = true;
  void connection.closed.then(() => {
    open = false;
  });
  while (open && repliesIn(connection.received).length < answers) await delay(5);
}

/** Parses the responses received on a connection, as Latin-1. */
export function repliesIn(text: string): Reply[] {
  const replies: Reply[] = [];
  for (let at = 0; at < text.length; ) {
    const head = text.indexOf("\r\n\r\n", at);
    if (head === -1) break;
    const [first, ...rest] = text.slice(at, head).split("\r\n");
    const headers = Object.fromEntries(
      rest.map((line) => [line.split(":")[0]!.toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
    );
    const length = Number(headers["content-length"] ?? 0);
    const body = text.slice(head + 4, head + 4 + length);
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(first!)?.[1] ?? 0);
    if (status !== 100) replies.push({ status, headers, body: Buffer.from(body, "latin1"), cut: body.length < length });
    at = head + 4 + length;
  }
  return replies;
}
