/** A real terminal of a given size, in a tmux server of its own. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { temporaryDirectory } from "../support/directories.ts";
import { eventually } from "../support/eventually.ts";
import { CLI } from "../support/program.ts";
import { NOWHERE } from "./support.ts";

export class TmuxTerminal {
  readonly #socket = join(temporaryDirectory("tmux"), "socket");
  readonly #env: Record<string, string | undefined>;

  constructor({
    width,
    height = 40,
    env,
  }: { width: number; height?: number; env: Record<string, string | undefined> }) {
    const set = Object.entries(env).filter(([, value]) => value !== undefined);
    const unset = Object.keys(env).filter((name) => env[name] === undefined);
    // Without a history file, and with a prompt that marks the end of a command.
    const shell = ["env", ...unset.flatMap((name) => ["-u", name]), ...set.map(([name, value]) => `${name}=${value}`)];
    this.#env = { ...process.env, TMUX: undefined };
    const size = ["-x", String(width), "-y", String(height)];
    this.#tmux(
      "-f",
      "/dev/null",
      "new-session",
      "-d",
      ...size,
      "-c",
      NOWHERE,
      ...shell,
      "PS1=ready> ",
      // The server ends with its shell, even if the tests are killed.
      "timeout",
      "--foreground",
      "300",
      "bash",
      "--norc",
      "--noprofile",
    );
    const words = [process.execPath, ...CLI].map((word) => `'${word}'`).join(" ");
    this.type(`causeway() { ${words} "$@"; }; clear`);
  }

  #tmux(...args: string[]): string {
    return execFileSync("tmux", ["-S", this.#socket, ...args], { encoding: "utf8", env: this.#env });
  }

  type(line: string): void {
    this.#tmux("send-keys", "-l", line);
    this.#tmux("send-keys", "Enter");
  }

  interrupt(): void {
    this.press("C-c");
  }

  /** Presses one key, by the name that tmux has for it. */
  press(key: string): void {
    this.#tmux("send-keys", key);
  }

  /** The lines on the screen without blank ones at the end. @param escapes whether colours are kept */
  screen(escapes = false): string {
    return this.#tmux("capture-pane", "-p", "-J", ...(escapes ? ["-e"] : [])).trimEnd();
  }

  /** Resolves with the screen once it matches. */
  until(pattern: RegExp, escapes = false): Promise<string> {
    return eventually(
      () => this.screen(escapes),
      (screen) => pattern.test(screen),
    );
  }

  /** Runs a command on an empty screen and returns its output. */
  async run(line: string, escapes = false): Promise<string> {
    this.type("clear");
    await this.until(/^ready>$/);
    this.type(line);
    const screen = await this.until(/\nready>$/, escapes);
    return screen.split("\n").slice(1, -1).join("\n");
  }

  close(): void {
    this.#tmux("kill-server");
  }
}
