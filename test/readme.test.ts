/**
 * README.md, followed to the letter by a newcomer with some terminals. Invisible comments before a code block say how
 * it is run; all of them run in one folder, in the order of the page:
 *
 * - `run`: typed into the main terminal. `run again until expected`: typed again and again, for what takes a moment.
 * - `run as: <terminal>, until: <output>`: typed into a terminal of its own and left running. `until heard: <topic>`
 *   waits until it prints what is published there (`until heard on MQTT 5`: at the broker of the page's last chapter).
 * - `stop: <terminal>`: Ctrl-C there.
 * - `file: <name>`: saved under that name.
 * - `expect: <output>`, `expect from <terminal>: <output>`: what must appear.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "./support/ports.ts";
import { startProcess, type TestProcess } from "./support/processes.ts";
import { requireOrSkip } from "./support/requirements.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const README = readFileSync(join(ROOT, "README.md"), "utf8");
const WAIT_MS = 60_000;
/** The ports on the page, which may be taken here. */
const PORTS = ["8080", "1883", "1884", "9000"];

interface Block {
  line: number;
  code: string;
  /** The comments before it. */
  notes: string[];
}

describe("README.md", requireOrSkip("bash", "curl", "mosquitto_pub", "mosquitto_sub", "mosquitto"), () => {
  const ports = new Map<string, string>();
  const terminals = new Map<string, TestProcess>();
  let folder: string;
  let shell: Shell;

  before(async () => {
    folder = checkout();
    for (const port of PORTS) ports.set(port, String(await freePort()));
    shell = new Shell(folder);
  });
  after(async () => {
    for (const name of [...terminals.keys()].reverse()) await stop(name);
    await shell.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const here = (text: string) => text.replace(/(?<!\d)\d{4}(?!\d)/g, (number) => ports.get(number) ?? number);

  async function stop(name: string): Promise<void> {
    const terminal = terminals.get(name);
    terminals.delete(name);
    await terminal?.stop("SIGINT");
  }

  async function startTerminal(name: string, code: string): Promise<TestProcess> {
    await stop(name);
    // The packages are there: `npm ci` would only take them away from the other tests.
    const command = here(code).replace("npm ci && ", "");
    const env = { PORT: ports.get("8080"), BROKER_PORT: ports.get("1883") };
    const terminal = startProcess("bash", ["-c", command], { cwd: folder, env });
    terminals.set(name, terminal);
    return terminal;
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

  async function perform({ code, notes }: Block): Promise<void> {
    const from = new Map([...terminals].map(([name, { output }]) => [name, output.length]));
    const wanted = notes.flatMap((note) => note.match(/^expect: (.*)$/s)?.[1] ?? []).map(here);
    for (const note of notes) {
      const [, file] = /^file: (.+)$/.exec(note) ?? [];
      const [, stopped] = /^stop: (\w+)$/.exec(note) ?? [];
      const [, name, how, what] = /^run as: (\w+), (until|until heard|until heard on MQTT 5): (.+)$/.exec(note) ?? [];
      if (file) writeFileSync(join(folder, file), here(code));
      if (stopped) await stop(stopped);
      if (name) {
        const terminal = await startTerminal(name, code);
        from.set(name, 0);
        if (how === "until") await terminal.waitFor(new RegExp(literally(what!)), { timeoutMs: WAIT_MS });
        else await heard(terminal, what!, ports.get(how === "until heard" ? "1883" : "1884")!);
      }
      if (note === "run") {
        const { status, output } = await shell.run(here(code));
        assert.equal(status, 0, output);
        for (const text of wanted) assert.ok(output.includes(text), `it does not say ${text}, but:\n${output}`);
      }
      if (note === "run again until expected") await runUntil(here(code), wanted);
    }
    for (const note of notes) {
      const [, name, text] = /^expect from (\w+): (.*)$/.exec(note) ?? [];
      if (!name) continue;
      const pattern = new RegExp(literally(here(text!)));
      await terminals.get(name)!.waitFor(pattern, { timeoutMs: WAIT_MS, from: from.get(name) ?? 0 });
    }
  }

  async function runUntil(code: string, wanted: string[]): Promise<void> {
    const end = Date.now() + WAIT_MS;
    for (;;) {
      const { output } = await shell.run(code);
      if (wanted.every((text) => output.includes(text))) return;
      if (Date.now() > end) assert.fail(`it never says ${wanted.join(" and ")}, but:\n${output}`);
      await delay(200);
    }
  }

  for (const block of blocks(README).filter(({ notes }) => notes.length > 0)) {
    it(`line ${block.line}: ${block.notes[0]}`, { timeout: 2 * WAIT_MS }, () => perform(block));
  }
});

it("marks what can be run in README.md, and in words that are understood", () => {
  const all = blocks(README);
  assert.ok(all.filter(({ notes }) => notes.some((note) => note.startsWith("run"))).length > 15);
  const known =
    /^(run|run again until expected|run as: \w+, until( heard| heard on MQTT 5)?: .+|stop: \w+|file: \S+|expect( from \w+)?: .+)$/;
  for (const { line, notes } of all) for (const note of notes) assert.match(note, known, `line ${line}`);
  const comments = README.match(/<!--/g)?.length;
  assert.equal(all.flatMap(({ notes }) => notes).length, comments, "every comment stands right before a code block");
});

/** The code blocks with the comments right before them. */
function blocks(markdown: string): Block[] {
  const pattern = /((?:^<!-- .* -->\n)*)^```\w+\n([\s\S]*?)^```$/gm;
  return [...markdown.matchAll(pattern)].map(({ index, 1: comments, 2: code }) => ({
    line: markdown.slice(0, index + comments!.length).split("\n").length,
    code: code!,
    notes: [...comments!.matchAll(/^<!-- (.*) -->$/gm)].map(([, note]) => note!),
  }));
}

/** A folder like a fresh clone after `npm ci`, whose scripts run the sources instead of what was built of them. */
function checkout(): string {
  const folder = mkdtempSync(join(tmpdir(), "causeway-readme-"));
  for (const name of ["src", "openapi", "node_modules", "tsconfig.json"])
    symlinkSync(join(ROOT, name), join(folder, name));
  const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  assert.match(manifest.scripts.start, / dist\/main\.js$/);
  manifest.scripts.start = `exec node --import ${import.meta.resolve("tsx")} src/main.ts`;
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  return folder;
}

function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}

/** One bash that stays open, so that variables live from one block to the next. */
class Shell {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  #output = "";
  #look = () => {};

  constructor(cwd: string) {
    this.#child = spawn("bash", ["--noprofile", "--norc"], { cwd, stdio: ["pipe", "pipe", "pipe"] });
    this.#exited = new Promise((resolve) => this.#child.once("close", resolve));
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      stream.setEncoding("utf8").on("data", (chunk: string) => {
        this.#output += chunk;
        this.#look();
      });
    }
    process.once("exit", () => this.#child.kill("SIGKILL"));
  }

  async run(code: string): Promise<{ status: number; output: string }> {
    const mark = `end-of-block-${Math.random().toString(36).slice(2)}`;
    this.#output = "";
    const ended = new Promise<RegExpExecArray>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`not done in time:\n${code}\n${this.#output}`)), WAIT_MS);
      this.#look = () => {
        const match = new RegExp(`${mark} (\\d+)\n`).exec(this.#output);
        if (!match) return;
        clearTimeout(timer);
        resolve(match);
      };
    });
    this.#child.stdin!.write(`${code}\necho ${mark} $?\n`);
    const match = await ended;
    return { status: Number(match[1]), output: this.#output.slice(0, match.index) };
  }

  async close(): Promise<void> {
    this.#child.stdin!.end();
    await this.#exited;
  }
}
