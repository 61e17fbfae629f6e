/** The processes around the bridges. Each can be killed and restarted on its port and data. */
import { existsSync, mkdirSync, openSync, readSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../support/directories.ts";
import { acceptsConnections, freePort } from "../support/ports.ts";
import { startProcess, type TestProcess } from "../support/processes.ts";
import { testProgram } from "../support/program.ts";
import { findProgram } from "../support/requirements.ts";
import type { Ledgers } from "./ledger.ts";

export interface Server {
  readonly port: number;
  readonly child: TestProcess;
  start(): Promise<void>;
}

async function startServer(port: number, command: string[], up: RegExp): Promise<Server> {
  let child: TestProcess;
  const start = async () => {
    const [program, ...args] = command as [string, ...string[]];
    child = startProcess(program, args);
    await child.waitFor(up, { timeoutMs: 30_000 });
    await acceptsConnections(port);
  };
  await start();
  return {
    port,
    start,
    get child() {
      return child;
    },
  };
}

const MEMORY = "/dev/shm";

/**
 * Starts Mosquitto, which writes after each change, as early as it can be configured to: after the acknowledgement. It
 * queues any number of messages for a bridge that is away.
 *
 * Between two writes it reads one packet per connection. The writes go to an in-memory directory where there is one:
 * like a disk it survives a SIGKILL, but does not make Mosquitto slower than the load.
 *
 * @param inFlight `max_inflight_messages`, beyond which Mosquitto 2.0 acknowledges QoS 2 messages and drops them
 */
export async function startBroker(dir: string, inFlight: number): Promise<Server> {
  const port = await freePort();
  const file = join(dir, "mosquitto.conf");
  const own = existsSync(MEMORY) ? temporaryDirectory("chaos", MEMORY) : temporaryDirectory("chaos");
  const lines = [
    ...(process.getuid?.() === 0 ? ["user root"] : []),
    "log_dest stderr",
    "log_type error\nlog_type warning\nlog_type notice\nlog_type information",
    "connection_messages false",
    `max_queued_messages 0\nmax_inflight_messages ${inFlight}`,
    `persistence true\npersistence_location ${own}/`,
    "autosave_on_changes true\nautosave_interval 1",
    `listener ${port} 127.0.0.1\nallow_anonymous true`,
  ];
  writeFileSync(file, `${lines.join("\n")}\n`);
  return startServer(port, [program("mosquitto"), "-c", file], /mosquitto version \S+ running/);
}

/**
 * Starts Redis, which writes and syncs before it answers. With `everysec` it postpones the write while an earlier sync
 * runs, so that a SIGKILL loses acknowledged changes.
 */
export async function startStore(dir: string): Promise<Server> {
  const port = await freePort();
  const own = join(dir, "redis");
  mkdirSync(own, { recursive: true });
  const settings = ["--bind", "127.0.0.1", "--port", String(port), "--dir", own, "--maxmemory-policy", "noeviction"];
  const durable = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"];
  return startServer(port, [program("redis-server"), ...settings, ...durable], /Ready to accept connections/);
}

export interface ReceiverServer {
  readonly server: Server;
  /** Records the calls since the last time. @returns the number of calls */
  read(ledgers: Ledgers): number;
}

/** @param answerMs mean response time */
export async function startReceiverProcess(dir: string, answerMs: number): Promise<ReceiverServer> {
  const port = await freePort();
  const file = join(dir, "calls");
  writeFileSync(file, "");
  const program = testProgram(new URL("receiver-process.ts", import.meta.url));
  const args = [...program, String(port), file, String(answerMs)];
  const server = await startServer(port, [process.execPath, ...args], /listening/);
  const lines = linesOf(file);
  return {
    server,
    read(ledgers) {
      const calls = lines();
      for (const line of calls) {
        const { payload, ...arrival } = JSON.parse(line);
        ledgers.arrived(payload, arrival);
      }
      return calls.length;
    },
  };
}

/** Returns a function that returns the complete lines appended since its last call. */
function linesOf(file: string): () => string[] {
  const descriptor = openSync(file, "r");
  const chunk = Buffer.alloc(1024 * 1024);
  let rest = "";
  return () => {
    let text = rest;
    for (let length = -1; length !== 0; ) {
      length = readSync(descriptor, chunk);
      text += chunk.toString("latin1", 0, length); // the calls are ASCII
    }
    const lines = text.split("\n");
    rest = lines.pop()!;
    return lines;
  };
}

function program(name: string): string {
  const path = findProgram(name);
  if (!path) throw new Error(`${name} is not installed`);
  return path;
}
