/** A bridge with many webhooks and deliveries, and what its pages cost a browser: CPU time and memory, not wall clock. */
import { connectAsync } from "mqtt";
import type { Page } from "playwright-core";
import { startTestBridge, type TestBridge } from "../support/bridge.ts";
import type { TestWindow } from "../support/browser.ts";
import { eventually } from "../support/eventually.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { scaled } from "../support/speed.ts";

const AT_ONCE = 16;
/** One webhook in this many is called; the others are pulled, so that their deliveries are made without a call each. */
const CALLED = 10;

export interface BusyBridge {
  readonly bridge: TestBridge;
  stop(): Promise<void>;
}

/** @param each number of deliveries of each webhook */
export async function startBusyBridge(webhooks: number, each: number): Promise<BusyBridge> {
  const [bridge, receiver] = await Promise.all([
    startTestBridge({ MAX_WAITING_DELIVERIES: "1000000" }),
    startReceiver(),
  ]);
  await registerAll(bridge, receiver, webhooks);
  const device = await connectAsync(`mqtt://127.0.0.1:${bridge.brokerPort}`);
  await bridge.readiness(200);
  // Every webhook gets every message.
  for (let i = 0; i < each; i++) {
    const payload = `{"temperature":${(20 + Math.sin(i)).toFixed(2)},"state":"running","seq":${i}}`;
    await device.publishAsync(`fleet/site-${i % 10}/telemetry`, payload, { qos: 1 });
  }
  await device.endAsync();
  await eventually(
    () => bridge.api("GET", "/v1/status"),
    ({ body }) => body.books.deliveries.enqueued >= webhooks * each,
    scaled(120_000),
  );
  return {
    bridge,
    async stop() {
      await bridge.stop();
      await receiver.close();
    },
  };
}

async function registerAll(bridge: TestBridge, receiver: Receiver, count: number): Promise<void> {
  let next = 0;
  const register = async () => {
    while (next < count) {
      const n = next++;
      const to = n % CALLED === 0 ? { url: `${receiver.url}/line-${n}` } : { type: "pull" };
      const webhook = { ...to, name: `Line ${(n * 7_919) % count}`, topics: ["fleet/+/telemetry", `line/${n}/#`] };
      const { status, body } = await bridge.api("POST", "/v1/webhooks", webhook);
      if (status !== 201) throw new Error(`a webhook was answered ${status}: ${JSON.stringify(body)}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, register));
}

export interface Cost {
  /** CPU milliseconds of the longest task of the page's main thread, which nothing interrupts: no frame, no input. */
  longestMs: number;
  /** CPU milliseconds of all its tasks. */
  totalMs: number;
  heapBytes: number;
}

interface TraceEvent {
  name: string;
  ph: string;
  pid: number;
  tid: number;
  /** CPU time in microseconds. */
  tdur?: number;
  args: { name?: string };
}

const MAIN_THREAD = "CrRendererMain";
const TASK = "ThreadControllerImpl::RunTask";

/** Measures what the page does while something is done with it. */
export async function costOf({ page, context }: TestWindow, act: () => Promise<unknown>): Promise<Cost> {
  const browser = context.browser()!;
  await browser.startTracing(page, { categories: ["toplevel", "__metadata"] });
  let trace: Buffer;
  try {
    await act();
  } finally {
    trace = await browser.stopTracing();
  }
  const { traceEvents } = JSON.parse(trace.toString()) as { traceEvents: TraceEvent[] };
  const threadOf = ({ pid, tid }: TraceEvent) => `${pid}/${tid}`;
  const named = traceEvents.filter(({ name, args }) => name === "thread_name" && args.name === MAIN_THREAD);
  const main = new Set(named.map(threadOf));
  const tasks = traceEvents.filter((event) => event.name === TASK && event.ph === "X" && main.has(threadOf(event)));
  if (tasks.length === 0) throw new Error("the trace has no tasks");
  const ms = tasks.map(({ tdur }) => (tdur ?? 0) / 1_000);
  return {
    longestMs: Math.max(...ms),
    totalMs: ms.reduce((sum, one) => sum + one, 0),
    heapBytes: await heapBytes(page),
  };
}

async function heapBytes(page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable");
  const { metrics } = await session.send("Performance.getMetrics");
  await session.detach();
  return metrics.find(({ name }) => name === "JSHeapUsedSize")!.value;
}

export function costLine(what: string, { longestMs, totalMs, heapBytes: bytes }: Cost): string {
  const heap = `${(bytes / 1_048_576).toFixed(0)} MiB`;
  return `${what.padEnd(44)} longest task ${longestMs.toFixed(0).padStart(4)} ms of ${totalMs.toFixed(0)} ms CPU; heap ${heap}`;
}

/** @param pages number of times that a list is extended */
export async function costOfPages(window: TestWindow, url: string, pages: number): Promise<Map<string, Cost>> {
  const { page } = window;
  const costs = new Map<string, Cost>();
  const step = async (what: string, act: () => Promise<unknown>) => costs.set(what, await costOf(window, act));
  const rows = (name: string) => page.getByRole("region", { name, exact: true }).locator("tbody tr[aria-rowindex]");
  const more = async () => {
    for (let i = 0; i < pages; i++) {
      await page.getByRole("button", { name: "Load more" }).click();
      await page.getByRole("button", { name: "Loading" }).waitFor({ state: "detached" });
    }
  };
  /** Goes through the whole list with the wheel, a window at a time. */
  const scroll = async () => {
    await page.mouse.move(640, 400);
    while (await page.evaluate("scrollY + innerHeight < document.documentElement.scrollHeight - 1")) {
      await page.mouse.wheel(0, 1_500);
      await page.evaluate("new Promise(requestAnimationFrame)");
    }
    await page.evaluate("scrollTo(0, 0)");
  };
  await step("the overview", async () => {
    await page.goto(`${url}/`);
    await page.locator("canvas").waitFor();
    await page.getByText("Both lines close").waitFor();
  });
  await step("the webhooks", async () => {
    await page.goto(`${url}/webhooks`);
    await page.getByRole("region", { name: "Webhooks", exact: true }).getByRole("img").first().waitFor();
  });
  await step("more webhooks", more);
  await step("scrolling through them", scroll);
  await step("sorting them by name", async () => {
    await page.getByRole("columnheader", { name: "Name" }).getByRole("button").click();
    await rows("Webhooks").first().getByText("Line 0").waitFor();
  });
  await step("sorting them the other way round", async () => {
    await page.getByRole("columnheader", { name: "Name" }).getByRole("button").click();
    await rows("Webhooks").first().getByText("Line 9").waitFor();
  });
  await step("filtering them by name", async () => {
    await page.getByLabel("Name").fill("line 77");
    await page.getByRole("link", { name: "Line 77", exact: true }).waitFor();
  });
  await step("the deliveries", async () => {
    await page.goto(`${url}/deliveries`);
    await page.getByRole("region", { name: "Deliveries", exact: true }).getByRole("row").nth(50).waitFor();
  });
  await step("more deliveries", more);
  await step("scrolling through the deliveries", scroll);
  await step("filtering the deliveries", async () => {
    await page.getByRole("navigation", { name: "Status" }).getByRole("link", { name: "Succeeded" }).click();
    await page.getByRole("region", { name: "Deliveries", exact: true }).getByText("Pending").first().waitFor({
      state: "detached",
    });
  });
  return costs;
}
