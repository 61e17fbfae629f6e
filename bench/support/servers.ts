/** Mosquitto and Redis for a scenario, on free loopback ports, with the same configuration for all sides. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { freePort } from "../../test/support/ports.ts";
import { findProgram } from "../../test/support/requirements.ts";
import { type Child, startProgram } from "./children.ts";

export interface Server {
  url: string;
  child: Child;
}

/** Debian packages of the missing programs. */
export function missingPackages(): string[] {
  const packages = { mosquitto: "mosquitto", "redis-server": "redis-server" };
  return Object.entries(packages).flatMap(([program, name]) => (findProgram(program) ? [] : [name]));
}

/** Starts Mosquitto without limits on queued and in-flight messages: only the client's Receive Maximum applies. */
export async function startMosquitto(): Promise<Server> {
  const port = await freePort();
  const file = join(temporaryDirectory("mosquitto"), "mosquitto.conf");
  const lines = [
    ...(process.getuid?.() === 0 ? ["user root"] : []),
    `listener ${port} 127.0.0.1`,
    "allow_anonymous true",
    "persistence false",
    "max_queued_messages 0",
    "max_inflight_messages 0",
    "log_dest stderr",
    "log_type error",
  ];
  writeFileSync(file, `${lines.join("\n")}\n`);
  const child = startProgram(findProgram("mosquitto")!, ["-c", file]);
  await accepts(port, child);
  return { url: `mqtt://127.0.0.1:${port}`, child };
}

/** Starts Redis as docs/operations.md describes: append-only file, flushed every second, no eviction. */
export async function startRedis(): Promise<Server> {
  const port = await freePort();
  const settings = `--bind 127.0.0.1 --port ${port} --save  --appendonly yes --appendfsync everysec --maxmemory-policy noeviction`;
  const child = startProgram(findProgram("redis-server")!, [
    ...settings.split(" "),
    "--dir",
    temporaryDirectory("redis"),
  ]);
  await accepts(port, child);
  return { url: `redis://127.0.0.1:${port}`, child };
}

const directories: string[] = [];
process.on("exit", () => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

/** Creates a directory that is removed when this process exits. */
export function temporaryDirectory(name: string): string {
  const directory = mkdtempSync(join(tmpdir(), `causeway-bench-${name}-`));
  directories.push(directory);
  return directory;
}

async function accepts(port: number, child: Child): Promise<void> {
  for (let attempt = 0; attempt < 250; attempt++) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.on("connect", () => resolve(true)).on("error", () => resolve(false));
      socket.on("connect", () => socket.destroy());
    });
    if (open) return;
    await delay(20);
  }
  throw new Error(`nothing listens on port ${port}. ${child.errors()}`);
}
