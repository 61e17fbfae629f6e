/**
 * `npm run screenshots`: pictures of the dashboard of a live bridge with simulated devices.
 *
 *   --out DIR      default: docs/images
 *   --pages A,B    default: those that the documentation shows; `webhook` and `message` stand for one of them
 *   --themes A,B   light, dark; default: light
 *   --phone        360 px wide instead of 1,280
 *   --seconds N    how long the devices publish before the first picture; default: 12
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
    seconds: { type: "string", default: "12" },
  },
});

const plant = await startPlant();
plant.run(250);
await delay(Number(values.seconds) * 1_000);
const newest = await plant.bridge.api("GET", "/v1/deliveries?limit=1");
const addresses: Record<string, string> = {
  overview: "",
  webhook: `webhooks/${plant.webhooks.Analytics}`,
  workbench: `workbench?webhook=${plant.webhooks["Pump alarms"]}`,
  edit: `webhooks/${plant.webhooks["Pump alarms"]}/edit`,
  new: "webhooks/new",
  message: `messages/${newest.body.items[0]?.messageId}`,
};

const browser = await startBrowser(plant.bridge.url);
mkdirSync(values.out, { recursive: true });
for (const theme of values.themes.split(",")) {
  const viewport = values.phone ? { width: 360, height: 740 } : { width: 1_280, height: 800 };
  const colorScheme = theme === "dark" ? "dark" : "light";
  const { page, violations, axe } = await browser.open({ viewport, colorScheme, deviceScaleFactor: 1.5 });
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
await browser.close();
await plant.stop();
