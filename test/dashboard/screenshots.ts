/**
 * `npm run screenshots`: pictures of the dashboard of a live bridge with simulated devices.
 *
 *   --out DIR      default: docs/images
 *   --pages A,B    default: those that the documentation shows; `webhook` and `message` stand for one of them
 *   --themes A,B   light, dark; default: light
 *   --phone        360 px wide instead of 1,280
 *   --seconds N    how long the devices publish before the first picture; default: 330, since a step of the charts
 *                  is a minute
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { API_KEY } from "../support/bridge.ts";
import { signIn, startBrowser } from "../support/browser.ts";
import { startPlant } from "./plant.ts";

const { values } = parseArgs({
  options: {
    out: { type: "string", default: "docs/images" },
    pages: { type: "string", default: "overview,webhooks,webhook,deliveries,message,live" },
    themes: { type: "string", default: "light" },
    phone: { type: "boolean", default: false },
    seconds: { type: "string", default: "330" },
  },
});

const plant = await startPlant();
const { answer } = plant.receiver;
// One call in thirty finds the receiver busy, so that the charts have more than one outcome.
let calls = 0;
plant.receiver.answer = (call) => (call.path === "/greenhouse" && ++calls % 30 === 0 ? 503 : answer(call));
const devices = setInterval(() => void publish(), 50);
await delay(Number(values.seconds) * 1_000);
const failed = await plant.bridge.api("GET", "/v1/deliveries?limit=1&status=failed");
const addresses: Record<string, string> = {
  overview: "",
  webhook: `webhooks/${plant.webhooks["Greenhouse readings"]}`,
  workbench: `workbench?webhook=${plant.webhooks["Pump alarms"]}`,
  edit: `webhooks/${plant.webhooks["Pump alarms"]}/edit`,
  new: "webhooks/new",
  message: `messages/${failed.body.items[0]?.messageId}`,
};

const browser = await startBrowser(plant.bridge.url);
mkdirSync(values.out, { recursive: true });
for (const theme of values.themes.split(",")) {
  const viewport = values.phone ? { width: 360, height: 740 } : { width: 1_280, height: 800 };
  const colorScheme = theme === "dark" ? "dark" : "light";
  const { page, violations, axe } = await browser.open({ viewport, colorScheme, deviceScaleFactor: 1 });
  await page.goto(`${plant.bridge.url}/`);
  if (values.pages.includes("sign-in")) await page.screenshot({ path: join(values.out, `sign-in-${theme}.png`) });
  await signIn(page, API_KEY);
  for (const name of values.pages.split(",")) {
    await page.goto(`${plant.bridge.url}/${addresses[name] ?? name}`);
    await delay(2_500);
    const suffix = `${theme === "light" ? "" : `-${theme}`}${values.phone ? "-phone" : ""}`;
    await page.screenshot({ path: join(values.out, `${name}${suffix}.png`), fullPage: values.phone });
    const wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
    if (Number(wide) > 0) process.stdout.write(`${name} ${theme}: ${wide} px wider than the window\n`);
    for (const violation of await axe()) process.stdout.write(`${name} ${theme}: ${violation}\n`);
  }
  for (const violation of violations) process.stdout.write(`${violation}\n`);
}
clearInterval(devices);
await browser.close();
await plant.stop();

/** Publishes at a rate that swells and falls within two minutes. */
async function publish(): Promise<void> {
  const share = 0.3 + 0.2 * Math.sin((Date.now() / 120_000) * 2 * Math.PI);
  if (Math.random() < share) await plant.publish().catch(() => undefined);
}
