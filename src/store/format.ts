/**
 * The number of the form in which data is kept. It stands with the data, so that a newer bridge knows what it has
 * before it, and an older one that it must not go on. When it grows: CONTRIBUTING, "Change stored data".
 */
import { setTimeout as delay } from "node:timers/promises";
import { CannotStartError } from "../errors.ts";
import type { Leases, Records, Store } from "./store.ts";

export interface Format {
  /** Of the newest bridge that has written here. */
  format: number;
  /** Of the oldest bridge that may still read and write here. */
  readableFrom: number;
}

/** This bridge's. */
export const FORMAT: Format = { format: 1, readableFrom: 1 };

/** Of data that says nothing: from before there was a number, or there is none yet. */
export const FIRST: Format = { format: 1, readableFrom: 1 };

/** Rewrites what bridges before `to` have left. Runs beside bridges from `readableFrom` on, and again after a crash. */
export interface Migration {
  to: number;
  run(store: Pick<Store, "records" | "counters" | "expiringKeys" | "queues">): Promise<void>;
}

/** In the order of their numbers. */
export const MIGRATIONS: readonly Migration[] = [];

/** Data of a newer bridge, which this one would misread or spoil. */
export class NewerDataError extends CannotStartError {
  override name = "NewerDataError";

  constructor(place: string, found: Format, ours: Format) {
    super(
      `The data in ${place} was written by a newer Causeway: it has format ${found.format}, for bridges of format ` +
        `${found.readableFrom} or newer, and this one is of format ${ours.format}. Nothing was changed. Start the newer ` +
        "version again, or this one on a backup from before the upgrade.",
    );
  }
}

export interface EnterOptions {
  /** Where the data is, for people; without credentials. */
  place: string;
  /** The name of this instance. */
  holder: string;
  ours?: Format;
  migrations?: readonly Migration[];
}

export interface Entered {
  /** Resolves when a newer bridge has closed the store to this one, which must end. */
  readonly outdated: Promise<NewerDataError>;
  stop(): Promise<void>;
}

const COLLECTION = "format";
const ID = "store";

/**
 * To be called before anything is written: brings the store's data up to date, and follows its number from then on.
 * @throws NewerDataError
 */
export async function enterStore(store: Store, options: EnterOptions): Promise<Entered> {
  const { place, ours = FORMAT, migrations = MIGRATIONS } = options;
  const mark = store.records<Format>(COLLECTION);
  const pending = async () => {
    const { format } = (await mark.get(ID))?.value ?? FIRST;
    return migrations.filter(({ to }) => to > format && to <= ours.format);
  };
  if ((await pending()).length > 0) {
    // First it is closed to those who would write what is about to be rewritten.
    await raise(mark, { ...ours, format: FIRST.format }, options);
    await alone(store.leases, options.holder, async () => {
      for (const { run } of await pending()) await run(store);
      await raise(mark, ours, options);
    });
  } else await raise(mark, ours, options);

  let tell: (error: NewerDataError) => void;
  const outdated = new Promise<NewerDataError>((resolve) => {
    tell = resolve;
  });
  // In vain while the store is away: everybody is told to look again when it is back.
  const look = async () => {
    const found = await mark.get(ID).catch(() => undefined);
    if (isTooNew(found?.value ?? FIRST, ours)) tell(new NewerDataError(place, found!.value, ours));
  };
  const stop = await mark.watch(() => void look());
  await look();
  return { outdated, stop };
}

export function isTooNew(found: Format, ours: Format): boolean {
  return found.readableFrom > ours.format;
}

/** What stands there once a bridge of `ours` has been there. Numbers never fall: others may have written more. */
export function raised(found: Format, ours: Format): Format {
  const [format, readableFrom] = [Math.max(found.format, ours.format), Math.max(found.readableFrom, ours.readableFrom)];
  return { ...found, format, readableFrom };
}

async function raise(
  mark: Records<Format>,
  to: Format,
  { place, ours = FORMAT }: Pick<EnterOptions, "place" | "ours">,
): Promise<Format> {
  for (;;) {
    const found = await mark.get(ID);
    const before = found?.value ?? FIRST;
    if (isTooNew(before, ours)) throw new NewerDataError(place, before, ours);
    const next = raised(before, to);
    if (found && next.format === before.format && next.readableFrom === before.readableFrom) return before;
    if (await (found ? mark.replace(ID, next, found.version) : mark.create(ID, next))) return next;
  }
}

const LEASE = "migration";
const LEASE_MS = 10_000;
const LOOK_MS = 500;

/** Of all instances one after another: the second finds that nothing is left to do. */
async function alone(leases: Leases, holder: string, work: () => Promise<void>): Promise<void> {
  while ((await leases.acquire(LEASE, holder, LEASE_MS)) !== holder) await delay(LOOK_MS);
  const renewing = setInterval(() => leases.acquire(LEASE, holder, LEASE_MS).catch(() => undefined), LEASE_MS / 4);
  try {
    await work();
  } finally {
    clearInterval(renewing);
    await leases.release(LEASE, holder).catch(() => undefined); // else it runs out
  }
}
