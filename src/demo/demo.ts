#!/usr/bin/env node
/**
 * `npm run demo`: runs the bridge between a simulated Raspberry Pi and a simulated cloud app, sends one message each
 * way and prints each step. The bridge is the real process with its embedded defaults and a data directory of its own;
 * the two simulated sides use only MQTT and HTTP. No part of the bridge imports this file.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { connectAsync, type MqttClient } from "mqtt";
import { Webhook } from "standardwebhooks";
import { rules } from "../config/variables.ts";
import { withDeadline } from "../lib/deadline.ts";

const HELP = `npm run demo [-- --fast]

Starts the bridge on free ports with a temporary data directory, a simulated Raspberry Pi and a simulated cloud app,
sends one message each way, and cleans up. Takes about ten seconds.

  --fast   no pauses for reading (also DEMO_FAST=1)
  --help

Ends with 0 when both messages arrived and the signature was right, and with 1 otherwise.
`;

/** Timeout of each wait; on any machine a wait takes a fraction of it. */
const PATIENCE_MS = 60_000;
const READING_MS = 750;

const UP = "devices/pi-7/telemetry";
const DOWN = "devices/pi-7/commands";

/** Clean-up steps, run in reverse order. */
const cleanUp: (() => unknown)[] = [];
let fast = false;

/** Prints one line of the story and pauses for reading. */
async function tell(who: string, text: string): Promise<void> {
  process.stdout.write(`${who ? `${who.padEnd(7)}| ` : ""}${text}\n`);
  if (!fast) await delay(READING_MS);
}

async function story(): Promise<void> {
  await tell("", "Causeway, the demo: a Pi speaks MQTT, a cloud app speaks HTTP, the bridge stands between them.\n");
  const bridge = await startBridge();
  await tell("bridge", `is up: API at ${bridge.api}, MQTT broker at ${bridge.broker}`);
  const cloud = await startCloud();
  const pi = await startPi(bridge.broker);
  await tell("pi", `connects to the broker, as it would from behind a home router, and subscribes to ${DOWN}`);

  process.stdout.write("\nUp, from the device to the cloud\n");
  const { status, body } = await call(bridge, "/v1/webhooks", { url: cloud.url, topics: ["devices/+/telemetry"] });
  if (status !== 201) throw new Error(`registering the webhook was answered ${status}: ${JSON.stringify(body)}`);
  await tell("cloud", `registers ${cloud.url} for devices/+/telemetry: POST /v1/webhooks → ${status}, and a secret`);
  await pi.publishAsync(UP, '{"temperature":21.5}', { qos: 1 });
  await tell("pi", `publishes {"temperature":21.5} on ${UP}, QoS 1; PUBACK came`);
  await checkDelivery(await within(cloud.delivery, "the webhook was not called"), String(body.secret));

  process.stdout.write("\nDown, from the cloud to the device\n");
  const received = new Promise<[topic: string, payload: Buffer]>((resolve) => {
    pi.once("message", (topic, payload) => resolve([topic, payload]));
  });
  const sent = await call(bridge, "/v1/messages", { topic: DOWN, payload: { led: "on" } });
  if (sent.body.outcome !== "acknowledged") {
    throw new Error(`publishing was answered ${sent.status}: ${JSON.stringify(sent.body)}`);
  }
  await tell("cloud", `POST /v1/messages {"topic":"${DOWN}","payload":{"led":"on"}} → ${sent.status}`);
  await tell("bridge", `answers "outcome":"${sent.body.outcome}": the broker has taken it`);
  const [topic, payload] = await within(received, "the Pi received nothing");
  if (topic !== DOWN || payload.toString() !== '{"led":"on"}')
    throw new Error(`the Pi received ${payload} on ${topic}`);
  await tell("pi", `received ${payload} on ${topic}`);
}

/** Handles a call as a receiver must: verifies the signature over the raw body, then reads the event. */
async function checkDelivery({ headers, body }: ReceivedCall, secret: string): Promise<void> {
  const webhook = new Webhook(secret);
  const event = webhook.verify(body, headers as Record<string, string>) as { subject: string; data: unknown };
  await tell("cloud", `was called: POST with webhook-id ${headers["webhook-id"]}`);
  await tell("cloud", `the signature is right; subject ${event.subject}, data ${JSON.stringify(event.data)}`);
  const reading = event.data as { temperature?: number };
  if (event.subject !== UP || reading.temperature !== 21.5) throw new Error(`the cloud received ${body}`);
  try {
    webhook.verify(body.replace("21.5", "99.9"), headers as Record<string, string>);
  } catch {
    return tell("cloud", "the same body with 99.9 in it is refused: a change on the way would be noticed");
  }
  throw new Error("a changed body passed the signature check");
}

interface BridgeProcess {
  api: string;
  broker: string;
  key: string;
}

/** Starts the same process as `npm start`, isolated from the user's settings and data. */
async function startBridge(): Promise<BridgeProcess> {
  const dataDir = mkdtempSync(join(tmpdir(), "causeway-demo-"));
  cleanUp.push(() => rmSync(dataDir, { recursive: true, force: true }));
  const env = { ...process.env };
  for (const name of Object.keys(rules)) delete env[name];
  const main = fileURLToPath(new URL(`../main${extname(import.meta.url)}`, import.meta.url));
  const child = spawn(process.execPath, [...process.execArgv, main], {
    cwd: dataDir, // contains no .env file
    env: { ...env, PORT: "0", BROKER_PORT: "0", DATA_DIR: dataDir, LOG_LEVEL: "warn" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  cleanUp.push(() => stopChild(child));
  const banner = await within(bannerOf(child), "the bridge did not start");
  const [api, broker] = [/API +(http:\S+)/, /Broker +(mqtt:\S+)/].map((pattern) => pattern.exec(banner)?.[1]);
  if (!api || !broker) throw new Error(`the bridge said something else than expected:\n${banner}`);
  return { api, broker, key: readFileSync(join(dataDir, "api-key"), "utf8").trim() };
}

function bannerOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = "";
    const read = (chunk: Buffer) => {
      output += chunk;
      if (output.includes("Try it:")) resolve(output);
    };
    child.stdout?.on("data", read);
    child.stderr?.on("data", read);
    child.on("error", reject);
    child.on("close", (code) => reject(new Error(`the bridge ended with ${code}:\n${output}`)));
  });
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const late = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
  await exited;
  clearTimeout(late);
}

interface ReceivedCall {
  headers: IncomingHttpHeaders;
  body: string;
}

/** Starts the cloud app's receiver, which responds 204 and keeps the first call. */
async function startCloud(): Promise<{ url: string; delivery: Promise<ReceivedCall> }> {
  const server: Server = createServer();
  const delivery = new Promise<ReceivedCall>((resolve) => {
    server.on("request", (request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        response.writeHead(204).end();
        resolve({ headers: request.headers, body: Buffer.concat(chunks).toString() });
      });
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanUp.push(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, delivery };
}

async function startPi(broker: string): Promise<MqttClient> {
  const pi = await within(connectAsync(broker, { clientId: "pi-7", protocolVersion: 4 }), "the Pi could not connect");
  pi.on("error", () => {}); // the wait for the missing message reports the failure
  cleanUp.push(() => pi.endAsync(true));
  await pi.subscribeAsync(DOWN, { qos: 1 });
  return pi;
}

interface ApiAnswer {
  status: number;
  body: Record<string, unknown>;
}

async function call({ api, key }: BridgeProcess, path: string, body: object): Promise<ApiAnswer> {
  const response = await fetch(api + path, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  return { status: response.status, body: (await response.json()) as ApiAnswer["body"] };
}

function within<T>(promise: Promise<T>, complaint: string): Promise<T> {
  return withDeadline(promise, PATIENCE_MS, () => new Error(`${complaint} within ${PATIENCE_MS / 1_000} s`));
}

async function undo(): Promise<void> {
  for (const step of cleanUp.splice(0).reverse()) await step();
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { fast: { type: "boolean" }, help: { type: "boolean" } } });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  fast = values.fast === true || process.env.DEMO_FAST === "1";
  for (const [signal, code] of [["SIGINT", 130] as const, ["SIGTERM", 143] as const]) {
    process.once(signal, () => void undo().finally(() => process.exit(code)));
  }
  try {
    await story();
    await undo();
    await tell("", "\nDone: one message each way, the signature verified. Everything is stopped and removed again.");
    return 0;
  } catch (error) {
    await undo();
    process.stderr.write(`\nThe demo failed: ${(error as Error).message}\n`);
    return 1;
  }
}

process.exitCode = await main().catch((error: Error) => {
  process.stderr.write(`${error.message}\n\n${HELP}`);
  return 1;
});
