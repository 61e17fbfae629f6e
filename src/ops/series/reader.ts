/** Metrics over time, for the API: adds up what all instances have stored. */
import { Refused } from "../../errors.ts";
import type { Series } from "../../store/store.ts";
import { BRIDGE } from "./recorder.ts";
import { groupName, HOURS, MINUTES, type Section, sectionsOf, totalSections } from "./resolutions.ts";
import { addEncoded, CELL, newRow, percentile, type StepRow } from "./row.ts";
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

export interface SeriesDto {
  range: SeriesQuery["range"];
  stepSeconds: number;
  points: Point[];
}

export interface AllSeriesDto extends SeriesDto {
  webhooks: (Totals & { id: string })[];
}

export interface ReaderOptions {
  series: Pick<Series, "of" | "all">;
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

  async ofWebhook(id: string, query: SeriesQuery): Promise<SeriesDto | Refused> {
    const steps = stepsOf(query, this.#options.now());
    return steps instanceof Refused ? steps : toSeries(steps, await this.#rowsOf(id, steps), toTotals);
  }

  /**
   * @param ids the webhooks to report about
   * @param all whether the points are those of the whole bridge, with its messages; otherwise those of `ids`
   */
  async ofAll(query: SeriesQuery, ids: readonly string[], all: boolean): Promise<AllSeriesDto | Refused> {
    const steps = stepsOf(query, this.#options.now());
    if (steps instanceof Refused) return steps;
    const { rows, totals } = all ? await this.#ofBridge(ids, steps) : await this.#ofSome(ids, steps);
    const webhooks = [...totals]
      .map(([id, row]) => ({ id, row }))
      .filter(({ row }) => row.some((count) => count > 0))
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .map(({ id, row }) => ({ id, ...toTotals(row) }));
    return { ...toSeries(steps, rows, all ? withMessages : toTotals), webhooks };
  }

  async #ofBridge(ids: readonly string[], steps: Steps): Promise<{ rows: StepRow[]; totals: Map<string, StepRow> }> {
    const totals = new Map(ids.map((id) => [id, newRow()]));
    const [rows] = await Promise.all([this.#rowsOf(BRIDGE, steps), this.#addTotals(totals, steps)]);
    return { rows, totals };
  }

  async #addTotals(totals: ReadonlyMap<string, StepRow>, { from, stepMs, count, range }: Steps): Promise<void> {
    const add = async (section: Section) => {
      for await (const values of this.#options.series.all(groupName(section.resolution, section.group))) {
        for (const [id, value] of values) {
          const row = totals.get(id);
          if (row) addSection(section, value, () => row);
        }
      }
    };
    await Promise.all(totalSections(storedIn(range), from, from + count * stepMs).map(add));
  }

  async #ofSome(ids: readonly string[], steps: Steps): Promise<{ rows: StepRow[]; totals: Map<string, StepRow> }> {
    const rows = newRows(steps);
    const totals = new Map<string, StepRow>();
    for (let i = 0; i < ids.length; i += AT_ONCE) {
      const some = ids.slice(i, i + AT_ONCE);
      const found = await Promise.all(some.map((id) => this.#read(id, steps)));
      for (const [j, id] of some.entries()) {
        const total = newRow();
        for (const { section, value } of found[j]!) {
          addSection(section, value, rowAt(rows, steps));
          addSection(section, value, () => total);
        }
        totals.set(id, total);
      }
    }
    return { rows, totals };
  }

  async #rowsOf(id: string, steps: Steps): Promise<StepRow[]> {
    const rows = newRows(steps);
    for (const { section, value } of await this.#read(id, steps)) addSection(section, value, rowAt(rows, steps));
    return rows;
  }

  async #read(id: string, { range, from, stepMs, count }: Steps): Promise<{ section: Section; value: string }[]> {
    const sections = sectionsOf(storedIn(range), from, from + count * stepMs);
    const names = sections.map(({ resolution, group }) => groupName(resolution, group));
    const found = await this.#options.series.of(id, names);
    return sections.flatMap((section, i) => found[i]!.map((value) => ({ section, value })));
  }
}

const storedIn = (range: Steps["range"]) => (range === "30d" ? HOURS : MINUTES);

const newRows = ({ count }: Steps) => Array.from({ length: count }, newRow);

const rowAt = (rows: readonly StepRow[], { from, stepMs }: Steps) => {
  return (at: number) => rows[Math.floor((at - from) / stepMs)];
};

/** Adds the steps of the section in an encoded value. @param rowOf the row of a step, by its beginning */
function addSection(
  { resolution, group, from, to }: Section,
  value: string,
  rowOf: (at: number) => StepRow | undefined,
): void {
  const { size, stepMs } = resolution;
  addEncoded(value, (step) => {
    const at = (group * size + step) * stepMs;
    return at >= from && at < to ? rowOf(at) : undefined;
  });
}

function toSeries<T extends Totals>(
  { range, from, stepMs }: Steps,
  rows: readonly StepRow[],
  toDto: (row: StepRow) => T,
) {
  const points = rows.map((row, i) => ({ at: new Date(from + i * stepMs).toISOString(), ...toDto(row) }));
  return { range, stepSeconds: stepMs / 1_000, points };
}

function toTotals(row: StepRow): Totals {
  return {
    enqueued: row[CELL.enqueued]!,
    succeeded: row[CELL.succeeded]!,
    failed: row[CELL.failed]!,
    retried: row[CELL.retried]!,
    p50Ms: percentile(row, 0.5),
    p99Ms: percentile(row, 0.99),
  };
}

function withMessages(row: StepRow): Omit<Point, "at"> {
  return { ...toTotals(row), received: row[CELL.received]!, published: row[CELL.published]! };
}
