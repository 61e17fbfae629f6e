/** Random values that a seed repeats. */
import { createHash } from "node:crypto";

export class Random {
  readonly #seed: string;
  #state: number;

  constructor(seed: string) {
    this.#seed = seed;
    this.#state = createHash("sha256").update(seed).digest().readUInt32LE();
  }

  /** An independent source: what one device draws does not change the values of another. */
  fork(name: string): Random {
    return new Random(`${this.#seed}/${name}`);
  }

  /** A number from 0 to 1, without 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  between(min: number, max: number): number {
    return min + this.next() * (max - min);
  }

  /** A whole number from `min` to `max`, both included. */
  integer(min: number, max: number): number {
    return Math.floor(this.between(min, max + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.integer(0, items.length - 1)]!;
  }

  hex(bytes: number): string {
    return Array.from({ length: bytes }, () => this.integer(0, 255).toString(16).padStart(2, "0")).join("");
  }
}

export interface ReadingOptions {
  start: number;
  min: number;
  max: number;
  /** Largest change from one reading to the next. */
  step: number;
}

/** A measured quantity that wanders between two limits, as temperatures and pressures do. */
export class Reading {
  value: number;
  readonly #random: Random;
  readonly #options: ReadingOptions;

  constructor(random: Random, options: ReadingOptions) {
    this.#random = random;
    this.#options = options;
    this.value = options.start;
  }

  /** The next value, with `pull` as the direction in which a device drives it. */
  next(pull = 0): number {
    const { min, max, step } = this.#options;
    const wanted = this.value + this.#random.between(-step, step) + pull;
    this.value = Math.min(max, Math.max(min, wanted));
    return this.value;
  }
}

/** Rounds as sensors do: to a number of decimals. */
export function round(value: number, decimals: number): number {
  return Number(value.toFixed(decimals));
}
