/** The machine: ports, the data directory and its disk. */
import { access, constants, stat, statfs } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname } from "node:path";
import { type Finding, failed, ok, skipped, warning } from "../../client/doctor/finding.ts";
import type { Config } from "../../config/config.ts";

const MIB = 1024 * 1024;
const FREE_WARNING = 1024 * MIB;
const FREE_FAILED = 100 * MIB;

interface RunningBridge {
  /** Port of the bridge that answers; undefined if none does. */
  port: number | undefined;
  /** URL of its broker, from its status. */
  brokerUrl?: string | undefined;
}

export async function checkMachine(config: Config, running: RunningBridge): Promise<Finding[]> {
  return [...(await checkPorts(config, running)), ...(await checkDataDir(config.dataDir))];
}

async function checkPorts({ http, mqtt, broker }: Config, { port, brokerUrl }: RunningBridge): Promise<Finding[]> {
  const isRunning = port !== undefined;
  if (isRunning && port !== http.port) {
    return [skipped("ports", `the bridge answers on ${port}, the configuration here says ${http.port}`)];
  }
  const findings = [
    isRunning
      ? ok("HTTP port", `${http.port} is the bridge's`)
      : await checkPort("HTTP port", http, "Stop the other program, or set PORT to a free port."),
  ];
  if (mqtt.url !== undefined) return findings;
  const advice = "If that is the broker you want to use, set MQTT_URL; otherwise set BROKER_PORT to a free port.";
  if (!isRunning) return [...findings, await checkPort("MQTT port", broker, advice)];
  if (brokerUrl === undefined) return findings;
  const actual = Number(new URL(brokerUrl).port || 1883);
  const isWanted = broker.port === 0 || actual === broker.port;
  const taken = `${broker.port} is taken by another program, so the embedded broker listens on ${actual}`;
  return [
    ...findings,
    isWanted ? ok("MQTT port", `${actual} is the embedded broker's`) : warning("MQTT port", taken, advice),
  ];
}

async function checkPort(
  check: string,
  { host, port }: { host: string; port: number },
  advice: string,
): Promise<Finding> {
  const error = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    const server = createServer();
    server.once("error", resolve);
    server.listen(port, host, () => server.close(() => resolve(undefined)));
  });
  if (error === undefined) return ok(check, `${host}:${port} is free`);
  const reason = error.code === "EADDRINUSE" ? "is taken by another program" : `cannot be used (${error.code})`;
  return failed(check, `${host}:${port} ${reason}`, advice);
}

async function checkDataDir(dataDir: string): Promise<Finding[]> {
  const check = "data directory";
  const place = await firstExisting(dataDir);
  try {
    await access(place, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const detail = `${place} cannot be written (${(error as NodeJS.ErrnoException).code})`;
    return [failed(check, detail, "Give the bridge's user the right to write there, or set DATA_DIR.")];
  }
  const { bavail, bsize } = await statfs(place);
  const free = bavail * bsize;
  const detail = `${Math.floor(free / MIB).toLocaleString("en")} MiB free for ${dataDir}`;
  const advice = "Free space on this disk: without it, no message is accepted.";
  const finding = free < FREE_FAILED ? failed("disk", detail, advice) : warning("disk", detail, advice);
  return [
    ok(check, place === dataDir ? dataDir : `${dataDir} can be created`),
    free < FREE_WARNING ? finding : ok("disk", detail),
  ];
}

async function firstExisting(path: string): Promise<string> {
  const exists = await stat(path).then(
    () => true,
    () => false,
  );
  return exists || dirname(path) === path ? path : firstExisting(dirname(path));
}
