/** A line at the bottom of the terminal that shows how far a command is. */
import type { Output } from "./output.ts";

const INTERVAL_MS = 100;
const BAR_WIDTH = 30;
const CLEAR_LINE = "\r\x1b[K";

export interface ProgressState {
  /** From 0 to 1; undefined if the total is unknown. */
  share?: number | undefined;
  text: string;
}

export class Progress {
  readonly #terminal: NodeJS.WriteStream | undefined;
  #drawnAt = 0;

  constructor(output: Output) {
    this.#terminal = output.progressTerminal;
  }

  /** Draws at most ten times a second. */
  update(state: () => ProgressState): void {
    if (!this.#terminal || Date.now() - this.#drawnAt < INTERVAL_MS) return;
    this.#drawnAt = Date.now();
    const line = progressLine(state(), this.#terminal.columns || 80);
    this.#terminal.write(`${CLEAR_LINE}${line}`);
  }

  /** Removes the line, for other output or at the end. */
  clear(): void {
    if (this.#drawnAt > 0) this.#terminal?.write(CLEAR_LINE);
    this.#drawnAt = 0;
  }
}

/** The bar and the text, never as wide as the terminal: a line that wraps could not be removed. */
export function progressLine({ share, text }: ProgressState, width: number): string {
  if (share === undefined) return text.slice(0, width - 1);
  const percent = `${Math.floor(share * 100)}`.padStart(3);
  const room = Math.min(BAR_WIDTH, width - text.length - 9);
  if (room < 5) return `${percent} % ${text}`.slice(0, width - 1);
  const full = Math.round(Math.min(1, share) * room);
  return `${"█".repeat(full)}${"░".repeat(room - full)} ${percent} % ${text}`;
}
