/**
 * Version number of the stored data's format. It is stored with the data: a newer bridge reads which format it finds,
 * and an older bridge stops. CONTRIBUTING, "Change stored data", says when to raise it.
 */
import { setTimeout as delay } from "node:timers/promises";
import { CannotStartError } from "../errors.ts";
import type { Leases, Records, Store } from "./store.ts";

export interface Format {
  /** Format of the newest bridge that has written to this store. */
  format: number;
  /** Format of the oldest bridge that may still read and write this store. */
  readableFrom: number;
}

/** Format that a bridge writes, and the oldest one that it reads and migrates. */
export interface BridgeFormat extends Format {
  oldest: number;
}

/** Format of this bridge. */
export const FORMAT: BridgeFormat = { format: 2, readableFrom: 2, oldest: 2 };

/** Format of data without a number: older than the number itself, or an empty store. */
export const FIRST: Format = { format: 1, readableFrom: 1 };

/**
 * Rewrites data that bridges older than `to` have written. Runs while bridges from `readableFrom` on are running, and
 * runs again after a crash.
 */
export interface Migration {
  to: number;
  run(store: Pick<Store, "records" | "counters" | "expiringKeys" | "queues">): Promise<void>;
}

/** Migrations in ascending order of `to`. */
export const MIGRATIONS: readonly Migration[] = [];

/** The data was written by a newer bridge; this one would misread or corrupt it. */
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

/** The data was written by a bridge so old that this one cannot migrate it. */
export class OlderDataError extends CannotStartError {
  override name = "OlderDataError";

  constructor(place: string, found: Format, ours: BridgeFormat) {
    super(
      `The data in ${place} has format ${found.format}, and this version reads format ${ours.oldest} or newer. Nothing ` +
        "was changed. Let the version that wrote the data deliver everything that waits. Then start this version on an " +
        "empty store with a DATA_DIR that contains only the file api-key, and register the webhooks and keys again.",
    );
  }
}

export interface EnterOptions {
  /** Location of the data for messages; without credentials. */
  place: string;
  /** The name of this instance. */
  holder: string;
  ours?: BridgeFormat;
  migrations?: readonly Migration[];
}

export interface Entered {
  /** Resolves when a newer bridge has locked this one out of the store; this one must then exit. */
  readonly outdated: Promise<NewerDataError>;
  stop(): Promise<void>;
}

const COLLECTION = "format";
const ID = "store";

/**
 * Migrates the store's data and watches its format from then on. Must be called before anything is written.
 * @throws NewerDataError, OlderDataError
 */
export async function enterStore(store: Store, options: EnterOptions): Promise<Entered> {
  const { place, ours = FORMAT, migrations = MIGRATIONS } = options;
  const mark = store.records<Format>(COLLECTION);
  const pending = async () => {
    const found = (await mark.get(ID))?.value;
    checkReadable(place, found, ours);
    const { format } = found ?? FIRST;
    return migrations.filter(({ to }) => to > format && to <= ours.format);
  };
  if ((await pending()).length > 0) {
    // Locks out older bridges first: they would write data in the format being migrated.
    await raise(mark, { ...ours, format: ours.oldest }, options);
    await alone(store.leases, options.holder, async () => {
      for (const { run } of await pending()) await run(store);
      await raise(mark, ours, options);
    });
  } else await raise(mark, ours, options);

  let report: (error: NewerDataError) => void;
  const outdated = new Promise<NewerDataError>((resolve) => {
    report = resolve;
  });
  // Fails while the store is unavailable: the watcher is called again after the reconnect.
  const check = async () => {
    const found = await mark.get(ID).catch(() => undefined);
    if (isTooNew(found?.value ?? FIRST, ours)) report(new NewerDataError(place, found!.value, ours));
  };
  const stop = await mark.watch(() => void check());
  await check();
  return { outdated, stop };
}

/** @throws NewerDataError, OlderDataError */
export function checkReadable(place: string, found: Format | undefined, ours: BridgeFormat): void {
  if (!found) return;
  if (isTooNew(found, ours)) throw new NewerDataError(place, found, ours);
  if (found.format < ours.oldest) throw new OlderDataError(place, found, ours);
}

function isTooNew(found: Format, ours: Format): boolean {
  return found.readableFrom > ours.format;
}

/** Returns the format to record once a bridge of `ours` has entered. Never lower: newer bridges may have written. */
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
    checkReadable(place, found?.value, ours);
    const before = found?.value ?? FIRST;
    const next = raised(before, to);
    if (found && next.format === before.format && next.readableFrom === before.readableFrom) return before;
    if (await (found ? mark.replace(ID, next, found.version) : mark.create(ID, next))) return next;
  }
}

const LEASE = "migration";
const LEASE_MS = 10_000;
const RETRY_MS = 500;

/** Runs `work` on one instance at a time: a second instance then finds no pending migration. */
async function alone(leases: Leases, holder: string, work: () => Promise<void>): Promise<void> {
  while ((await leases.acquire(LEASE, holder, LEASE_MS)) !== holder) await delay(RETRY_MS);
  const renewing = setInterval(() => leases.acquire(LEASE, holder, LEASE_MS).catch(() => undefined), LEASE_MS / 4);
  try {
    await work();
  } finally {
    clearInterval(renewing);
    await leases.release(LEASE, holder).catch(() => undefined); // otherwise the lease expires
  }
}
