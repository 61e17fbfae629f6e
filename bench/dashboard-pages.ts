/**
 * Pages of the dashboard with 1,000 webhooks and 100,000 deliveries, in Chromium: CPU time of the longest task, heap, and
 * what the calls of the pages cost the bridge.
 *
 *   node --import tsx bench/dashboard-pages.ts [--webhooks 1000] [--each 100] [--calls 20]
 */
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { connectAsync } from "mqtt";
import {
  type BusyBridge,
  type Cost,
  costLine,
  costOf,
  costOfPages,
  startBusyBridge,
} from "../test/dashboard/page-load.ts";
import { API_KEY } from "../test/support/bridge.ts";
import { signIn, startBrowser, type TestWindow } from "../test/support/browser.ts";
import { cpuMicroseconds } from "./support/proc.ts";

const { values } = parseArgs({
  options: {
    webhooks: { type: "string", default: "1000" },
    each: { type: "string", default: "100" },
    calls: { type: "string", default: "20" },
  },
});
const [webhooks, each, calls] = [values.webhooks, values.each, values.calls].map(Number) as [number, number, number];
const PAGE = 50;
const MOST_PAGES = 19;
const TASK_MS = 50;
const HEAP_BYTES = 150 * 1024 * 1024;
const PER_SECOND = 2_000;
const SECONDS = 8;
const TICK_MS = 10;

/** Calls of the pages, and the seconds between two of the same page. */
const CALLS: [path: string, everySeconds: number][] = [
  ["/v1/status", 2],
  ["/readyz", 5],
  ["/v1/webhooks?limit=50", 5],
  ["/v1/webhooks?state=failing&limit=250", 5],
  ["/v1/webhooks?limit=250", 30],
  ["/v1/metrics?range=1h&stepSeconds=60", 30],
  ["/v1/metrics?range=24h&stepSeconds=3600", 30],
  ["/v1/deliveries?limit=50", 5],
  ["/v1/deliveries?status=failed&limit=250", 10],
];

async function measureCalls({ bridge }: BusyBridge): Promise<void> {
  let sum = 0;
  for (const [path, everySeconds] of CALLS) {
    await bridge.api("GET", path);
    const before = cpuMicroseconds(bridge.pid);
    let bytes = 0;
    for (let i = 0; i < calls; i++) bytes = (await bridge.api("GET", path)).bytes.length;
    const ms = (cpuMicroseconds(bridge.pid) - before) / 1_000 / calls;
    sum += ms / everySeconds;
    const cost = `${ms.toFixed(1).padStart(6)} ms CPU, ${(bytes / 1_024).toFixed(0).padStart(4)} KiB`;
    console.log(`  ${path.padEnd(44)} ${cost}, every ${everySeconds} s`);
  }
  console.log(`  ${"all pages open at once".padEnd(44)} ${sum.toFixed(1).padStart(6)} ms CPU a second`);
}

/** Publishes at a steady rate. */
async function load(brokerPort: number): Promise<void> {
  const device = await connectAsync(`mqtt://127.0.0.1:${brokerPort}`);
  const startedAt = performance.now();
  for (let sent = 0; sent < PER_SECOND * SECONDS; ) {
    const due = Math.min(PER_SECOND * SECONDS, ((performance.now() - startedAt) * PER_SECOND) / 1_000);
    for (; sent < due; sent++) {
      device.publish(`load/line-${sent % 10}/device-${sent % 200}/telemetry`, `{"celsius":21.50,"seq":${sent}}`);
    }
    await delay(TICK_MS);
  }
  await device.endAsync();
}

async function costOfLive(window: TestWindow, { bridge }: BusyBridge): Promise<Cost> {
  await window.page.goto(`${bridge.url}/live?topics=load/%23`);
  await window.page.locator(".page-head .state.live").waitFor();
  return costOf(window, () => load(bridge.brokerPort));
}

const startedAt = performance.now();
const busy = await startBusyBridge(webhooks, each);
console.log(`${webhooks} webhooks, ${webhooks * each} deliveries, made in ${seconds(startedAt)} s`);
const browser = await startBrowser(busy.bridge.url);
const window = await browser.open({ viewport: { width: 1_280, height: 800 } });
await window.page.goto(busy.bridge.url);
await signIn(window.page, API_KEY);
const costs = await costOfPages(window, busy.bridge.url, Math.min(MOST_PAGES, Math.ceil(webhooks / PAGE) - 1));
costs.set(`the live page, ${SECONDS} s of ${PER_SECOND} msg/s`, await costOfLive(window, busy));
for (const [what, cost] of costs) console.log(`  ${costLine(what, cost)}`);
await browser.close();
await measureCalls(busy);
await busy.stop();
const isMet = [...costs.values()].every(({ longestMs, heapBytes }) => longestMs <= TASK_MS && heapBytes <= HEAP_BYTES);
console.log(isMet ? "met" : `MISSED: no task above ${TASK_MS} ms of CPU, no heap above 150 MiB`);
process.exitCode = isMet ? 0 : 1;

function seconds(since: number): string {
  return ((performance.now() - since) / 1_000).toFixed(0);
}
