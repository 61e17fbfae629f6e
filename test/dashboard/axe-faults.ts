/** The pages of a plant with calls that wait, fail or are refused, records included. */
import { API_KEY } from "../support/bridge.ts";
import { goTo, startBrowser, type TestWindow } from "../support/browser.ts";
import { type CallFaults, interceptCalls } from "./call-faults.ts";
import { type Plant, startPlant } from "./plant.ts";

/** Names of pages: those of one record have their kind in place of the id. */
export const ALL_PAGES = [
  ...["", "webhooks", "webhooks/new", "webhooks/WEBHOOK", "webhooks/WEBHOOK/edit"],
  ...["workbench", "workbench?webhook=WEBHOOK", "deliveries", "deliveries?open=WEBHOOK.MESSAGE"],
  ...["messages/MESSAGE", "messages/REQUEST", "live", "live?tab=retained"],
  ...["keys", "hooks", "hooks?hook=HOOK", "settings"],
];

/** Shows a form without reading anything first. */
export const WITHOUT_READ = "webhooks/new";

export interface FaultyPages {
  plant: Plant;
  window: TestWindow;
  faults: CallFaults;
  addressOf(page: string): string;
  /** Loads a page anew, which forgets what was read before, and waits for its heading. */
  load(page: string): Promise<void>;
  /** Goes to a page as a link does, and waits for its heading. */
  open(page: string): Promise<void>;
  stop(): Promise<void>;
}

export async function startFaultyPages(): Promise<FaultyPages> {
  const plant = await startPlant();
  await plant.publish();
  const { bridge, webhooks } = plant;
  const hook = await bridge.api("POST", "/v1/hooks", { name: "Lamps", topic: "lamps/{query.id}/set" });
  const message = await messageOf(plant);
  const browser = await startBrowser(bridge.url);
  const window = await browser.openAs(API_KEY, "");
  const ids = {
    WEBHOOK: webhooks["Greenhouse readings"]!,
    MESSAGE: message,
    REQUEST: "req_1",
    HOOK: String(hook.body.id),
  };
  const addressOf = (page: string) =>
    `${bridge.url}/${page.replace(/[A-Z]+/g, (kind) => ids[kind as keyof typeof ids])}`;
  return {
    ...{ plant, window, addressOf, faults: await interceptCalls(window.page) },
    open: (page) => goTo(window.page, addressOf(page)),
    async load(page) {
      await window.page.goto(addressOf(page));
      await window.page.getByRole("heading", { level: 1 }).waitFor();
    },
    async stop() {
      await browser.close();
      await plant.stop();
    },
  };
}

async function messageOf({ bridge, receiver, webhooks }: Plant): Promise<string> {
  await receiver.until((calls) => calls.some(({ path }) => path === "/greenhouse"));
  const { body } = await bridge.api("GET", `/v1/deliveries?webhookId=${webhooks["Greenhouse readings"]}&limit=1`);
  return body.items[0].messageId;
}
