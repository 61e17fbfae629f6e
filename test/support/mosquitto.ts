/** A separate real Mosquitto per test, on a free loopback port. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "./directories.ts";
import { acceptsConnections, freePort } from "./ports.ts";
import { startProcess, type TestProcess } from "./processes.ts";
import { findProgram } from "./requirements.ts";

export interface MosquittoOptions {
  /** Directory for configuration and data. Absent: a temporary one, removed when this process ends. */
  dir?: string;
  port?: number;
  /** Whether sessions, queues and retained messages survive restarts, `kill -9` included. */
  persistence?: boolean;
  /** Password file from `mosquitto_passwd`. Absent: anonymous access. */
  passwordFile?: string;
  protocol?: "mqtt" | "websockets";
  /** Additional lines for mosquitto.conf. They follow the listener, so they may also be its options. */
  extraConfig?: string;
}

export interface Mosquitto {
  readonly port: number;
  /** `mqtt://127.0.0.1:<port>`, or `ws://…`. */
  readonly url: string;
  readonly dir: string;
  /** The log so far, including earlier runs: one line per packet. */
  readonly log: string;
  /** Resolves with a match in the log of this run. */
  waitForLog(pattern: RegExp, options?: { timeoutMs?: number; from?: number }): Promise<RegExpExecArray>;
  stop(): Promise<void>;
  /** `kill -9`. */
  kill(): Promise<void>;
  /** Sends a signal, e.g. SIGSTOP and SIGCONT for a broker that keeps its connections but does not answer. */
  signal(signal: NodeJS.Signals): void;
  /** Starts the broker again on the same port and directory; first ends it by `how` if it still runs. */
  restart(how?: "stop" | "kill"): Promise<void>;
}

export function mosquittoInstalled(): boolean {
  return findProgram("mosquitto") !== undefined;
}

/** Resolves when the broker accepts connections. */
export async function startMosquitto(options: MosquittoOptions = {}): Promise<Mosquitto> {
  const program = findProgram("mosquitto");
  if (!program) throw new Error("mosquitto is not installed");
  const dir = options.dir ?? temporaryDirectory("mosquitto");
  const port = options.port ?? (await freePort());
  const configFile = join(dir, "mosquitto.conf");
  // Mosquitto 2.0.11 does not start with only a WebSocket listener.
  const spare = options.protocol === "websockets" ? `listener ${await freePort()} 127.0.0.1` : "";
  writeFileSync(configFile, `${configuration({ ...options, dir, port })}\n${spare}\n`);

  let earlierLog = "";
  let child = await run(program, configFile, port);
  return {
    port,
    dir,
    url: `${options.protocol === "websockets" ? "ws" : "mqtt"}://127.0.0.1:${port}`,
    get log() {
      return earlierLog + child.output;
    },
    waitForLog: (pattern, wait) => child.waitFor(pattern, wait),
    stop: async () => void (await child.stop()),
    kill: async () => void (await child.kill()),
    signal: (signal) => void child.child.kill(signal),
    restart: async (how = "stop") => {
      await child[how]();
      earlierLog += child.output;
      child = await run(program, configFile, port);
    },
  };
}

function configuration(options: MosquittoOptions & { dir: string; port: number }): string {
  const { dir, port, persistence = false, passwordFile, protocol = "mqtt", extraConfig = "" } = options;
  return `
${process.getuid?.() === 0 ? "user root" : "# started by an ordinary user"}
log_dest stderr
log_type all
connection_messages true
# No limit: what waits for a bridge that is away must not be dropped.
max_queued_messages 0
persistence ${persistence}
${persistence ? `persistence_location ${dir}/\nautosave_on_changes true\nautosave_interval 1` : ""}
listener ${port} 127.0.0.1
protocol ${protocol}
${passwordFile ? `allow_anonymous false\npassword_file ${passwordFile}` : "allow_anonymous true"}
${extraConfig}`;
}

async function run(program: string, configFile: string, port: number): Promise<TestProcess> {
  const child = startProcess(program, ["-c", configFile]);
  await child.waitFor(/mosquitto version \S+ running/);
  await acceptsConnections(port); // the WebSocket listener opens a moment later
  return child;
}
