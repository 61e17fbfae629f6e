/** One bash that stays open, so that variables live from one block to the next. */
import { type ChildProcess, spawn } from "node:child_process";

export class Shell {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #timeoutMs: number;
  #output = "";
  #onOutput = () => {};

  constructor(cwd: string, timeoutMs: number, env: Record<string, string> = {}) {
    this.#timeoutMs = timeoutMs;
    this.#child = spawn("bash", ["--noprofile", "--norc"], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#exited = new Promise((resolve) => this.#child.once("close", resolve));
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      stream.setEncoding("utf8").on("data", (chunk: string) => {
        this.#output += chunk;
        this.#onOutput();
      });
    }
    process.once("exit", () => this.#child.kill("SIGKILL"));
  }

  async run(code: string): Promise<{ status: number; output: string }> {
    const mark = `end-of-block-${Math.random().toString(36).slice(2)}`;
    this.#output = "";
    const ended = new Promise<RegExpExecArray>((resolve, reject) => {
      const late = () => reject(new Error(`not done in time:\n${code}\n${this.#output}`));
      const timer = setTimeout(late, this.#timeoutMs);
      this.#onOutput = () => {
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
