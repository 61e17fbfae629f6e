/**
 * README.md and docs/*.md, followed to the letter by a newcomer with some terminals. Comments before a code block, which
 * no reader sees, say how it is run. All pages run in one folder and against one bridge, in the order of `pages.ts`:
 *
 * - `run`: typed into the main terminal. `run again until expected`: typed again until the output is as expected.
 * - `run as: <terminal>, until: <output>`: typed into a terminal of its own and left running. `until heard: <topic>`
 *   waits until it prints a message on that topic (`until heard on MQTT 5`: at the broker of docs/mqtt5.md).
 * - `stop: <terminal>`: Ctrl-C there.
 * - `file: <name>`: saved under that name.
 * - `expect: <output>`, `expect from <terminal>: <output>`: must appear.
 * - `not run: <reason>`: the only way to leave a shell block out.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";
import { startProcess, type TestProcess } from "../support/processes.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { type Block, blocks, pages, ROOT } from "./pages.ts";
import { Shell } from "./shell.ts";

const WAIT_MS = 60_000;
/** The ports in the documentation, which may be taken here. */
const PORTS = ["8080", "1883", "1884", "9000"];
const NOTE =
  /^(run|run again until expected|run as: \w+, until( heard| heard on MQTT 5)?: .+|stop: \w+|file: \S+|not run: .{10,}|expect( from \w+)?: .+)$/;
/** Programs to copy have a test of their own: `receivers.test.ts`. */
const ONLY_MARKED = ["docs/receivers.md"];
const PAGES = pages();

describe("the documentation", requireOrSkip("bash", "curl", "mosquitto_pub", "mosquitto_sub", "mosquitto"), () => {
  const ports = new Map<string, string>();
  const terminals = new Map<string, TestProcess>();
  let folder: string;
  let shell: Shell;

  before(async () => {
    folder = checkout();
    for (const port of PORTS) ports.set(port, String(await freePort()));
    shell = new Shell(folder, WAIT_MS);
  });
  after(async () => {
    for (const name of [...terminals.keys()].reverse()) await stop(name);
    await shell.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const withPorts = (text: string) => text.replace(/(?<!\d)\d{4}(?!\d)/g, (number) => ports.get(number) ?? number);

  async function stop(name: string): Promise<void> {
    const terminal = terminals.get(name);
    terminals.delete(name);
    await terminal?.stop("SIGINT");
  }

  async function startTerminal(name: string, code: string): Promise<TestProcess> {
    await stop(name);
    // The packages are there: `npm ci` would only take them away from the other tests.
    const command = withPorts(code).replace("npm ci && ", "");
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
    const wanted = notes.flatMap((note) => note.match(/^expect: (.*)$/s)?.[1] ?? []).map(withPorts);
    for (const note of notes) {
      const [, file] = /^file: (.+)$/.exec(note) ?? [];
      const [, stopped] = /^stop: (\w+)$/.exec(note) ?? [];
      const [, name, how, what] = /^run as: (\w+), (until|until heard|until heard on MQTT 5): (.+)$/.exec(note) ?? [];
      if (file) writeFileSync(join(folder, file), withPorts(code));
      if (stopped) await stop(stopped);
      if (name) {
        const terminal = await startTerminal(name, code);
        from.set(name, 0);
        if (how === "until") await terminal.waitFor(new RegExp(literally(what!)), { timeoutMs: WAIT_MS });
        else await heard(terminal, what!, ports.get(how === "until heard" ? "1883" : "1884")!);
      }
      if (note === "run") {
        const { status, output } = await shell.run(withPorts(code));
        assert.equal(status, 0, output);
        for (const text of wanted) assert.ok(output.includes(text), `it does not say ${text}, but:\n${output}`);
      }
      if (note === "run again until expected") await runUntil(withPorts(code), wanted);
    }
    for (const note of notes) {
      const [, name, text] = /^expect from (\w+): (.*)$/.exec(note) ?? [];
      if (!name) continue;
      const pattern = new RegExp(literally(withPorts(text!)));
      await terminals.get(name)!.waitFor(pattern, { timeoutMs: WAIT_MS, from: from.get(name) ?? 0 });
    }
  }

  async function runUntil(code: string, wanted: string[]): Promise<void> {
    await eventually(
      () => shell.run(code),
      ({ output }) => wanted.every((text) => output.includes(text)),
      WAIT_MS,
    );
  }

  for (const { path, text } of PAGES) {
    if (ONLY_MARKED.includes(path)) continue;
    for (const block of blocks(text).filter(({ notes }) => notes.some((note) => !note.startsWith("not run: ")))) {
      it(`${path}:${block.line}: ${block.notes[0]}`, { timeout: 2 * WAIT_MS }, () => perform(block));
    }
  }
});

describe("the notes in the documentation", () => {
  for (const { path, text } of PAGES) {
    it(`of ${path} are understood, stand right before a block, and cover every shell block`, () => {
      const all = blocks(text);
      for (const { line, language, notes } of all) {
        for (const note of notes) assert.match(note, NOTE, `${path}:${line}`);
        if (language === "sh")
          assert.notEqual(notes.length, 0, `${path}:${line}: run it, or say \`not run: <reason>\``);
      }
      const comments = text.match(/<!--(?! \/?measured)/g)?.length ?? 0;
      assert.equal(all.flatMap(({ notes }) => notes).length, comments, `${path}: a comment stands alone`);
    });
  }
});

/** A folder like a fresh clone after `npm ci`, whose scripts run the sources. Only imports of the package use the build. */
function checkout(): string {
  const folder = mkdtempSync(join(tmpdir(), "causeway-docs-"));
  for (const name of ["src", "dist", "openapi", "node_modules", "tsconfig.json"])
    symlinkSync(join(ROOT, name), join(folder, name));
  const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  assert.match(manifest.scripts.start, / dist\/causeway\.js$/);
  manifest.scripts.start = `exec node --import ${import.meta.resolve("tsx")} src/main.ts`;
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  return folder;
}

function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
