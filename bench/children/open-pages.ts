/**
 * The calls of open pages of the dashboard, at their intervals and over one session each: the overview, the deliveries,
 * and the live page with a stream of all messages. Without a browser, which would need the cores of the bridge.
 */
import { request } from "node:http";
import { answer, setting } from "./answer.ts";

const url = setting("BRIDGE_URL");
const headers = { authorization: setting("AUTHORIZATION") };

/** Path and interval in milliseconds. */
const CALLS: readonly (readonly [path: string, everyMs: number])[] = [
  ["/v1/status", 2_000],
  ["/readyz", 5_000],
  ["/v1/webhooks?limit=50", 5_000],
  ["/v1/metrics?range=1h", 30_000],
  ["/v1/deliveries?limit=50", 5_000],
];

let timers: NodeJS.Timeout[] = [];
let streams: ReturnType<typeof request>[] = [];
let [calls, failures, bytes] = [0, 0, 0];

const call = async (path: string) => {
  calls++;
  const response = await fetch(url + path, { headers }).catch(() => undefined);
  if (!response?.ok) failures++;
  await response?.arrayBuffer().catch(() => undefined);
};

/** Opens a stream, and reads its bytes without parsing them. */
function openStream(topics: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = request(`${url}/v1/stream?topic=${encodeURIComponent(topics)}`, { headers }, (response) => {
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
      });
      if (response.statusCode === 200) resolve();
      else reject(new Error(`the stream was answered ${response.statusCode}`));
    });
    stream.on("error", reject);
    stream.end();
    streams.push(stream);
  });
}

answer({
  /** Opens the pages; with `topics` also the live page on them. */
  async open({ topics }) {
    [calls, failures, bytes] = [0, 0, 0];
    timers = CALLS.map(([path, everyMs]) => {
      void call(path);
      return setInterval(() => void call(path), everyMs);
    });
    if (typeof topics === "string") await openStream(topics);
  },
  close() {
    for (const timer of timers) clearInterval(timer);
    for (const stream of streams) stream.destroy();
    streams = [];
    return { calls, failures, bytes };
  },
});
