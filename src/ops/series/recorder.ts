/**
 * Counts deliveries, attempts and messages per minute, hour and day. Called for every message and attempt, so it only
 * adds numbers in memory; the store gets what changed every ten seconds. A crash loses the counts of that time.
 *
 * Every process is a writer of its own: it replaces only its own values, so writes are repeated freely and need no
 * reading. A restarted process has a new name, because it begins with empty counts.
 */
import { randomBytes } from "node:crypto";
import type { PublishResult } from "../../downlink/publish.ts";
import type { Series } from "../../store/store.ts";
import type { Decision } from "../../uplink/attempt.ts";
import { groupName, RESOLUTIONS, type Resolution } from "./resolutions.ts";
import { CELL, cellOf, encodeRow, flat, newRow, type StepRow } from "./row.ts";

/** Id of the statistics of the whole bridge. */
export const BRIDGE = "bridge";

const WRITE_MS = 10_000;
const MINUTE_MS = 60_000;
/** Values in one write: about 1 MB at most. */
const AT_ONCE = 500;

/** A webhook that is gone keeps its deliveries: they are made when it is enabled again. */
const DECIDED: Record<Decision["kind"], number> = {
  delivered: CELL.succeeded,
  retryAt: CELL.retried,
  throttled: CELL.retried,
  gone: CELL.retried,
  dead: CELL.failed,
};

export type SeriesSink = Pick<
  SeriesRecorder,
  "enqueued" | "attempted" | "filtered" | "received" | "published" | "forget"
>;

export interface RecorderOptions {
  series: Pick<Series, "put">;
  /** The registered webhooks: a call that ends later must not bring back a removed one. */
  webhooks: { get(id: string): unknown };
  onFailed(error: Error): void;
  now?: () => number;
}

/** The current group of one webhook and resolution. */
interface Track {
  resolution: Resolution;
  group: number;
  /** Encoded earlier steps of the group. */
  closed: string;
  /** The current step of the group, and its statistics. */
  step: number;
  row: StepRow;
}

interface Entry {
  id: string;
  /** Number of the current minute since the epoch. */
  minute: number;
  tracks: Track[];
  /** Whether the current groups differ from what was written last. */
  changed: boolean;
}

/** Values of one group to write. */
interface GroupWrite {
  resolution: Resolution;
  group: number;
  writer: string;
  values: Map<string, string>;
}

export class SeriesRecorder {
  readonly #options: Required<RecorderOptions>;
  readonly #entries = new Map<string, Entry>();
  #changed: Entry[] = [];
  readonly #writes = new Map<string, GroupWrite>();
  #writer = randomName();
  #minute = 0;
  #writing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: RecorderOptions) {
    this.#options = { now: Date.now, ...options };
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.write(), WRITE_MS).unref();
  }

  /** Writes what is left. Never rejects: without the store, it is lost. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    while (this.#writing) await this.#writing;
    await this.write();
  }

  enqueued(webhookId: string): void {
    this.#count(webhookId, CELL.enqueued);
  }

  /** @param durationMs absent for an attempt without a call of its own */
  attempted(webhookId: string, decision: Decision["kind"], durationMs?: number): void {
    this.#count(webhookId, DECIDED[decision], durationMs === undefined ? undefined : cellOf(durationMs));
  }

  filtered(webhookId: string): void {
    this.#count(webhookId, CELL.succeeded);
  }

  received(): void {
    this.#add(BRIDGE, CELL.received);
  }

  published(outcome: PublishResult["kind"]): void {
    if (outcome === "sent" || outcome === "acknowledged") this.#add(BRIDGE, CELL.published);
  }

  /** A webhook was removed. */
  forget(webhookId: string): void {
    this.#entries.delete(webhookId);
  }

  /** Writes what changed; after a failure, it is written with the next changes. Never rejects. */
  write(): Promise<void> {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  #count(webhookId: string, cell: number, duration?: number): void {
    this.#add(BRIDGE, cell, duration);
    if (this.#entries.has(webhookId) || this.#options.webhooks.get(webhookId) !== undefined)
      this.#add(webhookId, cell, duration);
  }

  #add(id: string, cell: number, duration?: number): void {
    const minute = Math.floor(this.#options.now() / MINUTE_MS);
    // The clock was set back: the values of the groups that come again must stay.
    if (minute < this.#minute) this.#startOver();
    this.#minute = minute;
    let entry = this.#entries.get(id);
    if (entry === undefined) {
      entry = newEntry(id, minute);
      this.#entries.set(id, entry);
    } else if (entry.minute !== minute) this.#advance(entry, minute);
    for (const { row } of entry.tracks) {
      row[cell]! += 1;
      if (duration !== undefined) row[duration]! += 1;
    }
    if (entry.changed) return;
    entry.changed = true;
    this.#changed.push(entry);
  }

  /** Closes the steps that have ended. */
  #advance(entry: Entry, minute: number): void {
    entry.minute = minute;
    for (const track of entry.tracks) {
      const { group, step } = placeOf(track.resolution, minute);
      if (group === track.group && step === track.step) continue;
      if (group === track.group) track.closed = flat([track.closed, encodeRow(track.step, track.row)]);
      else {
        if (entry.changed) this.#keep(entry.id, track);
        track.closed = "";
      }
      Object.assign(track, { group, step });
      track.row.fill(0);
    }
  }

  /** Keeps the value of the current group to be written. */
  #keep(id: string, { resolution, group, closed, step, row }: Track): void {
    const name = `${groupName(resolution, group)} ${this.#writer}`;
    let write = this.#writes.get(name);
    if (write === undefined) {
      write = { resolution, group, writer: this.#writer, values: new Map() };
      this.#writes.set(name, write);
    }
    write.values.set(id, closed + encodeRow(step, row));
  }

  #keepChanged(): void {
    for (const entry of this.#changed) {
      entry.changed = false;
      for (const track of entry.tracks) this.#keep(entry.id, track);
    }
    this.#changed = [];
  }

  #startOver(): void {
    this.#keepChanged();
    this.#entries.clear();
    this.#writer = randomName();
  }

  async #write(): Promise<void> {
    this.#keepChanged();
    try {
      for (const [name, write] of this.#writes) {
        await this.#writeGroup(write);
        if (write.values.size === 0) this.#writes.delete(name);
      }
    } catch (error) {
      this.#options.onFailed(error as Error);
    }
  }

  async #writeGroup({ resolution, group, writer, values }: GroupWrite): Promise<void> {
    const { stepMs, size, keepSeconds } = resolution;
    const endedSeconds = (this.#options.now() - (group + 1) * stepMs * size) / 1_000;
    // After so long an outage, no range reaches back to it.
    if (endedSeconds > keepSeconds) values.clear();
    const entries = [...values];
    for (let i = 0; i < entries.length; i += AT_ONCE) {
      const some = entries.slice(i, i + AT_ONCE);
      await this.#options.series.put(groupName(resolution, group), writer, some, keepSeconds);
      // A value that changed meanwhile waits for the next write.
      for (const [id, value] of some) if (values.get(id) === value) values.delete(id);
    }
  }
}

function randomName(): string {
  return randomBytes(6).toString("base64url");
}

function placeOf({ stepMs, size }: Resolution, minute: number): { group: number; step: number } {
  const step = Math.floor((minute * MINUTE_MS) / stepMs);
  return { group: Math.floor(step / size), step: step % size };
}

function newEntry(id: string, minute: number): Entry {
  const tracks = RESOLUTIONS.map((resolution) => ({
    resolution,
    ...placeOf(resolution, minute),
    closed: "",
    row: newRow(),
  }));
  return { id, minute, tracks, changed: false };
}
