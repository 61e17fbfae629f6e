/** A plant with a device that responds, and windows of the live page through a proxy that can break connections. */
import { connectAsync, type MqttClient } from "mqtt";
import type { Page } from "playwright-core";
import { API_KEY } from "../support/bridge.ts";
import { startBrowser, type TestBrowser, type TestWindow } from "../support/browser.ts";
import { startProxy } from "../support/proxy.ts";
import { type Plant, startPlant } from "./plant.ts";

type Options = Parameters<TestBrowser["open"]>[0];

export interface LiveSetup {
  readonly plant: Plant;
  readonly device: MqttClient;
  /** Breaks every connection between the browser and the bridge. */
  cut(): void;
  /** Opens a page and signs in. */
  open(path: string, options?: Options, key?: string): Promise<TestWindow>;
  /** Opens the live page and waits until messages arrive. */
  openLive(path: string, options?: Options): Promise<TestWindow>;
  stop(): Promise<void>;
}

export async function startLive(): Promise<LiveSetup> {
  const plant = await startPlant();
  const between = await startProxy(Number(new URL(plant.bridge.url).port));
  const url = `http://127.0.0.1:${between.port}`;
  const browser = await startBrowser(url);
  const device = await connectAsync(`mqtt://127.0.0.1:${plant.bridge.brokerPort}`);
  await device.subscribeAsync("pump/1/requests/+");
  device.on("message", (topic) => {
    device.publish(topic.replace("requests", "responses"), '{"pressure":3.50}');
  });
  const open = (path: string, options: Options = {}, key = API_KEY) => browser.openAs(key, path, options);
  return {
    plant,
    device,
    cut: () => between.cut(),
    open,
    async openLive(path, options) {
      const window = await open(path, options);
      await isLive(window.page);
      return window;
    },
    async stop() {
      await browser.close();
      await device.endAsync(true);
      await between.close();
      await plant.stop();
    },
  };
}

export const isLive = (page: Page) => page.locator(".page-head .state.live").getByText("Live").waitFor();
export const stream = (page: Page) => page.getByRole("region", { name: "Messages, newest first" });
export const tree = (page: Page) => page.getByRole("region", { name: "Topics" });
export const message = (page: Page) => page.locator(".detail");
