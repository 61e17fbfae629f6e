/**
 * The faults of a run: kind, target, time and duration. A pure function of the seed, so that a run with findings can be
 * repeated: the same faults at the same times, though not the same races.
 */

export const PROCESSES = ["bridge-a", "bridge-b", "broker", "redis", "receiver"] as const;
export const LINKS = ["a-broker", "b-broker", "a-redis", "b-redis", "bridge-receiver"] as const;
export type ProcessName = (typeof PROCESSES)[number];
export type LinkName = (typeof LINKS)[number];

/**
 * `kill`: SIGKILL, `terminate`: SIGTERM, both with a restart after `ms`; `freeze`: SIGSTOP, SIGCONT after `ms`.
 * `cut`: connections end and new ones are refused; `stall`: connections stay, but pass no data; `delay`: data passes
 * late; `reset`: existing connections are reset, new ones work.
 */
export type FaultKind = "kill" | "terminate" | "freeze" | "cut" | "stall" | "delay" | "reset";

export interface Fault {
  /** Milliseconds since the start of the run. */
  at: number;
  target: ProcessName | LinkName;
  kind: FaultKind;
  /** Milliseconds until the fault is mended; 0 for a reset. */
  ms: number;
}

export interface ScheduleOptions {
  /** Period in which all faults begin and end, in milliseconds. */
  lengthMs: number;
  /** Mean time between the starts of two faults, in milliseconds. */
  meanGapMs: number;
  /** Longest fault in milliseconds. */
  longestMs: number;
}

/** Minimum pause of a target after each of its faults, so that it gets some work done. */
const REST_MS = 1_000;
const SHORTEST_MS = 100;

/** Relative frequencies of the faults. */
const WEIGHTS: Partial<Record<Fault["target"], Partial<Record<FaultKind, number>>>> = {
  "bridge-a": { kill: 3, terminate: 1, freeze: 1 },
  "bridge-b": { kill: 3, terminate: 1, freeze: 1 },
  broker: { kill: 1, terminate: 1, freeze: 1 },
  redis: { kill: 2, freeze: 1 },
  receiver: { kill: 2, freeze: 1 },
};
const LINK_WEIGHTS: Partial<Record<FaultKind, number>> = { cut: 1, stall: 1, delay: 1, reset: 1 };

/** Returns the faults in order of their start. Faults of different targets overlap; those of one target do not. */
export function schedule(seed: number, { lengthMs, meanGapMs, longestMs }: ScheduleOptions): Fault[] {
  const random = randomNumbers(seed);
  const faults: Fault[] = [];
  const freeAt = new Map<string, number>();
  // Starts with a kill of each process, so that a short run has them, too.
  let bag: Card[] = shuffled(
    random,
    PROCESSES.map((target): Card => ({ target, kind: "kill" })),
  );
  for (let at = between(random, 0, 2 * meanGapMs); at < lengthMs; at += between(random, 0, 2 * meanGapMs)) {
    // Deals the faults like cards: each one comes before any repeats, even in a short run.
    if (bag.length === 0) bag = shuffled(random, deck());
    const next = bag.findIndex(({ target }) => (freeAt.get(target) ?? 0) <= at);
    if (next < 0) continue;
    const [card] = bag.splice(next, 1);
    const ms = card!.kind === "reset" ? 0 : between(random, SHORTEST_MS, longestMs);
    if (at + ms > lengthMs) continue;
    freeAt.set(card!.target, at + ms + REST_MS);
    faults.push({ at, ...card!, ms });
  }
  return faults;
}

type Card = Pick<Fault, "target" | "kind">;

function deck(): Card[] {
  return [...PROCESSES, ...LINKS].flatMap((target) =>
    Object.entries(WEIGHTS[target] ?? LINK_WEIGHTS).flatMap(([kind, weight]) =>
      Array.from({ length: weight }, () => ({ target, kind: kind as FaultKind })),
    ),
  );
}

type Random = () => number;

/** Mulberry32: small, and the same everywhere. @returns a generator of numbers from 0 to below 1 */
function randomNumbers(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function between(random: Random, low: number, high: number): number {
  return Math.round(low + random() * (high - low));
}

function shuffled<T>(random: Random, items: T[]): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
  return items;
}
