/** A webhook receiver: a real HTTP server that records its calls and answers as configured. */
import { EventEmitter } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { scaled } from "./speed.ts";

export interface ReceivedCall {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
  at: number;
}

export interface Receiver {
  readonly url: string;
  readonly calls: ReceivedCall[];
  /** All calls in order of arrival, whatever their responses. `calls` has only those answered with 2xx. */
  readonly attempts: ReceivedCall[];
  /** Returns the response to each call; the default is 204. */
  answer: (call: ReceivedCall) => number | { status: number; headers?: Record<string, string>; body?: string };
  /** Milliseconds before the response. */
  delayMs: number;
  /** Resolves when this many calls have arrived, answered or not. Timeouts are scaled to the speed of the machine. */
  untilCalled(count: number, timeoutMs?: number): Promise<void>;
  /** Resolves when the condition holds; checks it at each call. */
  until(condition: (calls: ReceivedCall[]) => boolean, timeoutMs?: number): Promise<void>;
  close(): Promise<void>;
}

export async function startReceiver(port = 0): Promise<Receiver> {
  const calls: ReceivedCall[] = [];
  const attempts: ReceivedCall[] = [];
  const changes = new EventEmitter().setMaxListeners(0);
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", async () => {
      const [method, path] = [request.method!, request.url!];
      const call = { method, path, headers: request.headers, body: Buffer.concat(chunks), at: Date.now() };
      attempts.push(call);
      changes.emit("call");
      if (receiver.delayMs > 0) await delay(receiver.delayMs, undefined, { ref: false }); // not longer than the test
      const answer = receiver.answer(call);
      const { status, headers = {}, body = "" } = typeof answer === "number" ? { status: answer } : answer;
      if (status >= 200 && status < 300) calls.push(call);
      response.writeHead(status, headers).end(body);
      changes.emit("call");
    });
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));

  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    attempts,
    answer: () => 204,
    delayMs: 0,
    untilCalled: (count, timeoutMs) => receiver.until(() => attempts.length >= count, timeoutMs),
    until(condition, timeoutMs = 30_000) {
      return new Promise((resolve, reject) => {
        const finish = (error?: Error) => {
          clearTimeout(timer);
          changes.off("call", look);
          if (error) reject(error);
          else resolve();
        };
        const look = () => {
          if (condition(calls)) finish();
        };
        const timer = setTimeout(
          () =>
            finish(
              new Error(`after ${scaled(timeoutMs)} ms there are ${calls.length} calls, and not what was awaited`),
            ),
          scaled(timeoutMs),
        );
        changes.on("call", look);
        look();
      });
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return receiver;
}
