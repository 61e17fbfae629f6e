/**
 * A newcomer with some terminals, who follows pages of documentation to the letter in one folder. Comments before a code
 * block, which no reader sees, say how it is run:
 *
 * - `run`: typed into the main terminal. `run again until expected`: typed again until the output is as expected.
 * - `run as: <terminal>, until: <output>`: typed into a terminal of its own and left running. `until heard: <topic>`
 *   waits until it prints a message on that topic (`until heard on MQTT 5`: at the broker of docs/mqtt5.md).
 * - `stop: <terminal>`: Ctrl-C there.
 * - `file: <name>`: saved under that name.
 * - `expect: <output>`, `expect from <terminal>: <output>`: must appear.
 * - `shown`, `shown by: <terminal>`: the block is output that must appear, since the last command, in the main terminal
 *   or that one. `…` stands for any text of a line, and a line with `…` alone for any lines or none.
 * - `not run: <reason>`: the only way to leave a shell block out.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";
import { startProcess, type TestProcess } from "../support/processes.ts";
import { type Block, ROOT } from "./pages.ts";
import { Shell } from "./shell.ts";

export const WAIT_MS = 25_000;
/** The ports in the documentation, which may be taken here. */
const PORTS = ["8080", "1883", "1884", "9000"];
export const NOTE =
  /^(run|run again until expected|run as: \w+, until( heard| heard on MQTT 5)?: .+|stop: \w+|file: \S+|not run: .{10,}|expect( from \w+)?: .+|shown( by: \w+)?)$/;

export interface WalkthroughOptions {
  /** Programs that the terminals find first, by name. */
  programs?: Record<string, string>;
}

export class Walkthrough {
  readonly #ports: Map<string, string>;
  readonly #folder: string;
  readonly #shell: Shell;
  readonly #environment: Record<string, string>;
  readonly #terminals = new Map<string, TestProcess>();
  /** Lengths of the outputs before the last command. */
  #from = new Map<string, number>();
  #lastOutput = "";

  static async begin(options: WalkthroughOptions = {}): Promise<Walkthrough> {
    const ports = new Map<string, string>();
    for (const port of PORTS) ports.set(port, String(await freePort()));
    return new Walkthrough(checkout(options), ports);
  }

  private constructor(folder: string, ports: Map<string, string>) {
    this.#folder = folder;
    this.#ports = ports;
    this.#environment = { PATH: `${join(folder, ".bin")}:${process.env.PATH}` };
    this.#shell = new Shell(folder, WAIT_MS, this.#environment);
  }

  async end(): Promise<void> {
    for (const name of [...this.#terminals.keys()].reverse()) await this.#stop(name);
    await this.#shell.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async perform({ code, notes }: Block): Promise<void> {
    if (notes.some((note) => note.startsWith("shown"))) return this.#assertShown(notes, code);
    this.#remember();
    const wanted = notes.flatMap((note) => note.match(/^expect: (.*)$/s)?.[1] ?? []).map((text) => this.#local(text));
    for (const note of notes) {
      const [, file] = /^file: (.+)$/.exec(note) ?? [];
      const [, stopped] = /^stop: (\w+)$/.exec(note) ?? [];
      const [, name, how, what] = /^run as: (\w+), (until|until heard|until heard on MQTT 5): (.+)$/.exec(note) ?? [];
      if (file) writeFileSync(join(this.#folder, file), this.#local(code));
      if (stopped) await this.#stop(stopped);
      if (name) await this.#runAs(name, code, how!, what!);
      if (note === "run") {
        const { status, output } = await this.#shell.run(this.#local(code));
        this.#lastOutput = output;
        assert.equal(status, 0, output);
        for (const text of wanted) assert.ok(output.includes(text), `it does not say ${text}, but:\n${output}`);
      }
      if (note === "run again until expected") await this.#runUntil(this.#local(code), wanted);
    }
    for (const note of notes) {
      const [, name, text] = /^expect from (\w+): (.*)$/.exec(note) ?? [];
      if (name) await this.#waitFor(name, new RegExp(literally(this.#local(text!))));
    }
  }

  #local(text: string): string {
    return text.replace(/(?<!\d)\d{4}(?!\d)/g, (number) => this.#ports.get(number) ?? number);
  }

  #remember(): void {
    this.#from = new Map([...this.#terminals].map(([name, { output }]) => [name, output.length]));
  }

  async #stop(name: string): Promise<void> {
    const terminal = this.#terminals.get(name);
    this.#terminals.delete(name);
    await terminal?.stop("SIGINT");
  }

  async #runAs(name: string, code: string, how: string, what: string): Promise<void> {
    await this.#stop(name);
    // The packages are there: `npm ci` would only take them away from the other tests.
    const command = this.#local(code).replace("npm ci && ", "");
    const env = { ...this.#environment, PORT: this.#ports.get("8080"), BROKER_PORT: this.#ports.get("1883") };
    const terminal = startProcess("bash", ["-c", command], { cwd: this.#folder, env });
    this.#terminals.set(name, terminal);
    this.#from.set(name, 0);
    if (how === "until") await terminal.waitFor(shownPattern(this.#local(what)), { timeoutMs: WAIT_MS });
    else await heard(terminal, what, this.#ports.get(how === "until heard" ? "1883" : "1884")!);
  }

  async #runUntil(code: string, wanted: string[]): Promise<void> {
    const { output } = await eventually(
      () => this.#shell.run(code),
      ({ output }) => wanted.every((text) => output.includes(text)),
      WAIT_MS,
    );
    this.#lastOutput = output;
  }

  async #assertShown(notes: string[], code: string): Promise<void> {
    const pattern = shownPattern(this.#local(code.trimEnd()));
    for (const note of notes) {
      const [, name] = /^shown by: (\w+)$/.exec(note) ?? [];
      if (name) await this.#waitFor(name, pattern);
      else assert.match(this.#lastOutput, pattern);
    }
  }

  async #waitFor(name: string, pattern: RegExp): Promise<void> {
    const terminal = this.#terminals.get(name);
    assert.ok(terminal, `nothing runs in the terminal ${name}`);
    await terminal.waitFor(pattern, { timeoutMs: WAIT_MS, from: this.#from.get(name) ?? 0 });
  }
}

/** Publishes until the terminal prints it: then it is subscribed. */
async function heard(terminal: TestProcess, topic: string, port: string): Promise<void> {
  const found = terminal.waitFor(new RegExp(literally(topic)), { timeoutMs: WAIT_MS });
  let done = false;
  const finished = found.finally(() => {
    done = true;
  });
  while (!done) {
    await startProcess("mosquitto_pub", ["-p", port, "-t", topic, "-m", "probe"]).exited;
    await Promise.race([finished, delay(100)]);
  }
  await found;
}

/** A folder like a fresh clone after `npm ci`. */
function checkout({ programs = {} }: WalkthroughOptions): string {
  const folder = mkdtempSync(join(tmpdir(), "causeway-docs-"));
  for (const name of ["src", "dist", "openapi", "node_modules", "tsconfig.json"])
    symlinkSync(join(ROOT, name), join(folder, name));
  mkdirSync(join(folder, ".bin"));
  for (const [name, path] of Object.entries(programs)) symlinkSync(path, join(folder, ".bin", name));
  writeFileSync(join(folder, "package.json"), readFileSync(join(ROOT, "package.json")));
  return folder;
}

/** Matches output as it is shown on a page. */
export function shownPattern(text: string): RegExp {
  const lines = text.split("\n").map((line) => literally(line).replaceAll("…", "[^\\n]*"));
  return new RegExp(lines.join("\n").replaceAll(/^\[\^\\n\]\*\n/gm, "(?:[^]*?\n)?"));
}

function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
