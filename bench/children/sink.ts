/** Webhook receiver on plain node:http that counts its calls. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { answer } from "./answer.ts";

let status = 200;
let readsData = false;
let readsEvents = false;
let delayMs = 0;
/** Accepts the call and never responds. */
let hangs = false;
let calls = 0;
let firstAt = 0;
let lastAt = 0;
let ids = new Set<string>();
let signed = 0;
let latencies: number[] = [];
/** Called when so many distinct messages have arrived. */
let reached: { count: number; resolve(): void } | undefined;

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    lastAt = Date.now();
    firstAt ||= lastAt;
    calls++;
    if (readsEvents) {
      const events = [JSON.parse(Buffer.concat(chunks).toString()) as { id: string }].flat();
      for (const { id } of events) ids.add(id);
    } else ids.add(String(request.headers["webhook-id"]));
    if (request.headers["webhook-signature"]) signed++;
    if (readsData) {
      const event = JSON.parse(Buffer.concat(chunks).toString()) as { data: { sentAt: number } };
      latencies.push(performance.timeOrigin + performance.now() - event.data.sentAt);
    }
    if (reached && ids.size >= reached.count) reached.resolve();
    if (hangs) return;
    const reply = () => response.writeHead(status, { "content-length": "0" }).end();
    if (delayMs > 0) setTimeout(reply, delayMs);
    else reply();
  });
});
// Keeps connections open between two rounds.
server.keepAliveTimeout = 60_000;
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address() as AddressInfo;

answer({
  url: () => `http://127.0.0.1:${port}/hook`,
  reset(content) {
    status = Number(content.status ?? 200);
    readsData = content.readsData === true;
    readsEvents = content.readsEvents === true;
    delayMs = Number(content.delayMs ?? 0);
    hangs = content.hangs === true;
    calls = signed = firstAt = lastAt = 0;
    ids = new Set();
    latencies = [];
  },
  read: () => ({ calls, signed, distinct: ids.size, firstAt, lastAt }),
  latencies: () => latencies,
  /** Resolves when so many distinct messages have arrived. */
  until: ({ count }) =>
    new Promise<void>((resolve) => {
      reached = { count: Number(count), resolve };
      if (ids.size >= reached.count) resolve();
    }),
});
