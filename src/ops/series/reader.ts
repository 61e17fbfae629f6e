/** Metrics over time, for the API: adds up what all instances have stored. */
import { Refused } from "../../errors.ts";
import type { Series as StoredSeries } from "../../store/store.ts";
import { BRIDGE } from "./recorder.ts";
import { groupName, HOURS, MINUTES, type Part, partsOf, totalParts } from "./resolutions.ts";
import { addEncoded, CELL, newRow, percentile, type Row } from "./row.ts";
import { type SeriesQuery, type Steps, stepsOf } from "./steps.ts";

export interface Totals {
  enqueued: number;
  succeeded: number;
  failed: number;
  retried: number;
  p50Ms: number | null;
  p99Ms: number | null;
}

export interface Point extends Totals {
  /** RFC 3339. */
  at: string;
  received?: number;
  published?: number;
}

export interface Series {
  range: SeriesQuery["range"];
  stepSeconds: number;
  points: Point[];
}

export interface AllSeries extends Series {
  webhooks: (Totals & { id: string })[];
}

export interface ReaderOptions {
  series: Pick<StoredSeries, "of" | "all">;
  /** The ids of all webhooks. */
  webhooks(): string[];
  now?: () => number;
}

/** Webhooks read at once: others must not wait for the store until all are read. */
const AT_ONCE = 20;

/** Rejects when the store is unavailable. */
export class SeriesReader {
  readonly #options: Required<ReaderOptions>;

  constructor(options: ReaderOptions) {
    this.#options = { now: Date.now, ...options };
  }

  async ofWebhook(id: string, query: SeriesQuery): Promise<Series | Refused> {
    const steps = stepsOf(query, this.#options.now());
    return steps instanceof Refused ? steps : toSeries(steps, await this.#rowsOf(id, steps), toTotals);
  }

  /** @param own ids of the only webhooks to report about; absent: everything */
  async ofAll(query: SeriesQuery, own?: readonly string[]): Promise<AllSeries | Refused> {
    const steps = stepsOf(query, this.#options.now());
    if (steps instanceof Refused) return steps;
    const { rows, totals } = own ? await this.#ofSome(own, steps) : await this.#ofBridge(steps);
    const webhooks = [...totals]
      .map(([id, row]) => ({ id, row }))
      .filter(({ row }) => row.some((count) => count > 0))
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .map(({ id, row }) => ({ id, ...toTotals(row) }));
    return { ...toSeries(steps, rows, own ? toTotals : withMessages), webhooks };
  }

  async #ofBridge(steps: Steps): Promise<{ rows: Row[]; totals: Map<string, Row> }> {
    const totals = new Map(this.#options.webhooks().map((id) => [id, newRow()]));
    const [rows] = await Promise.all([this.#rowsOf(BRIDGE, steps), this.#addTotals(totals, steps)]);
    return { rows, totals };
  }

  async #addTotals(totals: ReadonlyMap<string, Row>, { from, stepMs, count, range }: Steps): Promise<void> {
    const add = async (part: Part) => {
      for await (const values of this.#options.series.all(groupName(part.resolution, part.group))) {
        for (const [id, value] of values) {
          const row = totals.get(id);
          if (row) addPart(part, value, () => row);
        }
      }
    };
    await Promise.all(totalParts(storedIn(range), from, from + count * stepMs).map(add));
  }

  async #ofSome(ids: readonly string[], steps: Steps): Promise<{ rows: Row[]; totals: Map<string, Row> }> {
    const rows = newRows(steps);
    const totals = new Map<string, Row>();
    for (let i = 0; i < ids.length; i += AT_ONCE) {
      const some = ids.slice(i, i + AT_ONCE);
      const found = await Promise.all(some.map((id) => this.#read(id, steps)));
      for (const [j, id] of some.entries()) {
        const total = newRow();
        for (const { part, value } of found[j]!) {
          addPart(part, value, rowAt(rows, steps));
          addPart(part, value, () => total);
        }
        totals.set(id, total);
      }
    }
    return { rows, totals };
  }

  async #rowsOf(id: string, steps: Steps): Promise<Row[]> {
    const rows = newRows(steps);
    for (const { part, value } of await this.#read(id, steps)) addPart(part, value, rowAt(rows, steps));
    return rows;
  }

  async #read(id: string, { range, from, stepMs, count }: Steps): Promise<{ part: Part; value: string }[]> {
    const parts = partsOf(storedIn(range), from, from + count * stepMs);
    const names = parts.map(({ resolution, group }) => groupName(resolution, group));
    const found = await this.#options.series.of(id, names);
    return parts.flatMap((part, i) => found[i]!.map((value) => ({ part, value })));
  }
}

const storedIn = (range: Steps["range"]) => (range === "30d" ? HOURS : MINUTES);

const newRows = ({ count }: Steps) => Array.from({ length: count }, newRow);

const rowAt = (rows: readonly Row[], { from, stepMs }: Steps) => {
  return (at: number) => rows[Math.floor((at - from) / stepMs)];
};

/** Adds the steps of the part in an encoded value. @param rowOf the row of a step, by its beginning */
function addPart({ resolution, group, from, to }: Part, value: string, rowOf: (at: number) => Row | undefined): void {
  const { size, stepMs } = resolution;
  addEncoded(value, (step) => {
    const at = (group * size + step) * stepMs;
    return at >= from && at < to ? rowOf(at) : undefined;
  });
}

function toSeries<T extends Totals>({ range, from, stepMs }: Steps, rows: readonly Row[], toDto: (row: Row) => T) {
  const points = rows.map((row, i) => ({ at: new Date(from + i * stepMs).toISOString(), ...toDto(row) }));
  return { range, stepSeconds: stepMs / 1_000, points };
}

function toTotals(row: Row): Totals {
  return {
    enqueued: row[CELL.enqueued]!,
    succeeded: row[CELL.succeeded]!,
    failed: row[CELL.failed]!,
    retried: row[CELL.retried]!,
    p50Ms: percentile(row, 0.5),
    p99Ms: percentile(row, 0.99),
  };
}

function withMessages(row: Row): Omit<Point, "at"> {
  return { ...toTotals(row), received: row[CELL.received]!, published: row[CELL.published]! };
}
