/** The live page under load: nothing is lost, frames cost little, and memory is bounded. Prints the figures. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { connectAsync, type MqttClient } from "mqtt";
import { API_KEY, startTestBridge, type TestBridge } from "../support/bridge.ts";
import { startBrowser, type TestBrowser } from "../support/browser.ts";
import { eventually } from "../support/eventually.ts";
import { requireOrSkip } from "../support/requirements.ts";

const PER_SECOND = 2_000;
const SECONDS = 8;
const TICK_MS = 10;
const TOPICS = 200;
/** Limit of a frame in milliseconds of CPU: how long it takes also depends on what else the machine does. */
const FRAME_MS = 50;
const HEAP_BYTES = 150 * 1024 * 1024;

/** Records the time between frames, and the tasks that browsers call long, from 50 ms. */
const RECORD = `
  globalThis.gaps = [];
  globalThis.longTasks = [];
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longTasks.push(duration);
  }).observe({ type: "longtask" });
  let last = performance.now();
  const frame = (at) => {
    gaps.push(at - last);
    last = at;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
`;

describe("the live page under load", requireOrSkip("chromium"), () => {
  let bridge: TestBridge;
  let browser: TestBrowser;
  let device: MqttClient;
  before(async () => {
    bridge = await startTestBridge();
    browser = await startBrowser(bridge.url);
    device = await connectAsync(`mqtt://127.0.0.1:${bridge.brokerPort}`);
  });
  after(async () => {
    await browser?.close();
    await device?.endAsync(true);
    await bridge?.stop();
  });

  /** Publishes at a steady rate, and returns how many. */
  async function load(): Promise<number> {
    const startedAt = performance.now();
    let sent = 0;
    while (sent < PER_SECOND * SECONDS) {
      const due = Math.min(PER_SECOND * SECONDS, ((performance.now() - startedAt) * PER_SECOND) / 1_000);
      for (; sent < due; sent++) {
        const payload = `{"celsius":${(20 + Math.sin(sent / 100)).toFixed(2)},"pressure":3.50,"seq":${sent},"state":"running"}`;
        device.publish(`load/line-${sent % 10}/device-${sent % TOPICS}/telemetry`, payload);
      }
      await delay(TICK_MS);
    }
    return sent;
  }

  it("shows 2,000 messages a second in cheap frames and little memory", async (t) => {
    const viewport = { width: 1_280, height: 800 };
    const { page, context, violations } = await browser.openAs(API_KEY, "live?topics=load/%23", { viewport });
    await page.locator(".page-head .state.live").waitFor();
    const cdp = await context.newCDPSession(page);
    await cdp.send("Performance.enable");
    const metric = async (wanted: "JSHeapUsedSize" | "ThreadTime") => {
      const { metrics } = await cdp.send("Performance.getMetrics");
      return metrics.find(({ name }) => name === wanted)!.value;
    };
    await page.evaluate(RECORD);
    const cpuBefore = await metric("ThreadTime");
    const loading = load();
    let peak = 0;
    let isLoading = true;
    // The message, its history and its changes are drawn as well, while the list goes on.
    await page.getByText("showing the last 500").waitFor();
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: /newer message/ }).click();
    await page.getByRole("region", { name: "Last messages of the topic" }).waitFor();
    void loading.finally(() => (isLoading = false));
    while (isLoading) {
      peak = Math.max(peak, await metric("JSHeapUsedSize"));
      await delay(250);
    }
    const sent = await loading;
    const count = page
      .getByRole("row")
      .filter({ hasText: /^[−+]load/ })
      .locator("td.number > div")
      .first();
    await eventually(
      async () => Number((await count.textContent())!.replaceAll(",", "")),
      (shown) => shown === sent,
    );
    const cpuMs = ((await metric("ThreadTime")) - cpuBefore) * 1_000;
    const { gaps, longTasks } = (await page.evaluate("({ gaps, longTasks })")) as Record<string, number[]>;
    const sorted = gaps!.toSorted((a, b) => a - b);
    const within = sorted[Math.floor(sorted.length * 0.95)]!;
    const longest = Math.max(0, ...longTasks!);
    t.diagnostic(
      `${sent} messages in ${SECONDS} s, ${sorted.length} frames: 95 % within ${within.toFixed(0)} ms, ` +
        `longest ${sorted.at(-1)!.toFixed(0)} ms; ${longTasks!.length} long tasks, longest ${longest.toFixed(0)} ms; ` +
        `CPU ${(cpuMs / sorted.length).toFixed(1)} ms a frame; heap at most ${(peak / 1_048_576).toFixed(0)} MiB`,
    );
    assert.equal(await page.getByText("The connection was").count(), 0, "the browser kept up with the stream");
    assert.ok(cpuMs / sorted.length <= FRAME_MS, `${cpuMs} ms of CPU for ${sorted.length} frames`);
    assert.ok(peak <= HEAP_BYTES, `${peak} bytes of heap`);
    assert.deepEqual(violations, []);
  });
});
