/**
 * Metrics that Sparkplug nodes and devices announced in their BIRTHs: later messages carry an alias in place of the
 * name. Kept in the store, so that they survive restarts and all instances know them. A record holds the last BIRTHs of
 * one source, because a message may be delivered after a newer BIRTH has given its aliases to other metrics.
 */
import type { AnnouncedMetric, Birth } from "../../formats/sparkplug/decode.ts";
import { shortDigest } from "../../lib/digest.ts";

/** The part of the store's records that the memory needs. */
export interface SourceRecords {
  get(id: string): Promise<{ value: SparkplugSource; version: number } | undefined>;
  list(page: { after?: string; limit: number }): Promise<{ id: string; value: SparkplugSource }[]>;
  count(): Promise<number>;
  create(id: string, value: SparkplugSource): Promise<boolean>;
  replace(id: string, value: SparkplugSource, version: number): Promise<boolean>;
  remove(id: string): Promise<boolean>;
}

/** Record of a node or device. */
export interface SparkplugSource {
  /** `group/node` or `group/node/device`. */
  source: string;
  /** Message id of the newest BIRTH, also if it announced the same as the one before. */
  latest: string;
  /** By the ids of their messages, which sort by time; each announces something else than the one before. */
  births: StoredBirth[];
}

interface StoredBirth {
  id: string;
  metrics: StoredMetric[];
}

/** Name, number of the data type, alias. */
type StoredMetric = [name: string, type: number, alias?: string];

export interface BirthLimits {
  /** Nodes and devices. */
  maxSources: number;
  /** BIRTHs of a source. */
  maxBirths: number;
  /** Metrics of a source, all its BIRTHs together. */
  maxMetrics: number;
}

export const BIRTH_LIMITS: BirthLimits = { maxSources: 1_000, maxBirths: 4, maxMetrics: 10_000 };
/** Share of the sources removed at once, so that a crowd of new ones costs one look at all records now and then. */
const EVICTED = 0.1;
const PAGE = 50;

export class BirthMemory {
  constructor(
    private readonly records: SourceRecords,
    private readonly limits: BirthLimits = BIRTH_LIMITS,
  ) {}

  /** Returns the metrics that were announced when the message arrived. */
  async before(source: string, messageId: string): Promise<Birth | undefined> {
    const record = await this.records.get(shortDigest(source));
    const birth = record?.value.births.findLast(({ id }) => id <= messageId);
    return birth && toBirth(birth);
  }

  /** Adding a BIRTH again changes nothing. */
  async add(source: string, messageId: string, announced: readonly AnnouncedMetric[]): Promise<void> {
    const id = shortDigest(source);
    const birth: StoredBirth = {
      id: messageId,
      metrics: announced.map(({ name, type, alias }) => (alias === undefined ? [name, type] : [name, type, alias])),
    };
    for (;;) {
      const record = await this.records.get(id);
      const value = withBirth(record?.value ?? { source, latest: "", births: [] }, birth, this.limits);
      if (record) {
        if (await this.records.replace(id, value, record.version)) return;
      } else {
        if ((await this.records.count()) >= this.limits.maxSources) await this.#evict();
        if (await this.records.create(id, value)) return;
      }
    }
  }

  /** Removes the sources whose last BIRTH is the oldest. */
  async #evict(): Promise<void> {
    const sources: { id: string; latest: string }[] = [];
    for (let after: string | undefined; ; after = sources.at(-1)!.id) {
      const page = await this.records.list({ ...(after !== undefined && { after }), limit: PAGE });
      sources.push(...page.map(({ id, value }) => ({ id, latest: value.latest })));
      if (page.length < PAGE) break;
    }
    sources.sort((a, b) => (a.latest < b.latest ? -1 : 1));
    const surplus = Math.max(0, sources.length - this.limits.maxSources + 1);
    const count = Math.max(surplus, Math.floor(this.limits.maxSources * EVICTED));
    for (const { id } of sources.slice(0, count)) await this.records.remove(id);
  }
}

/** Adds a BIRTH within the limits; the oldest ones make room. Pure. */
export function withBirth(
  { source, latest, births }: SparkplugSource,
  birth: StoredBirth,
  { maxBirths, maxMetrics }: BirthLimits,
): SparkplugSource {
  const sorted = [...births.filter(({ id }) => id !== birth.id), birth].sort((a, b) => (a.id < b.id ? -1 : 1));
  const changes = sorted.filter(({ metrics }, i) => JSON.stringify(metrics) !== JSON.stringify(sorted[i - 1]?.metrics));
  const kept: StoredBirth[] = [];
  let count = 0;
  for (const change of changes.slice(-maxBirths).reverse()) {
    count += change.metrics.length;
    if (count > maxMetrics) break;
    kept.unshift(change);
  }
  return { source, latest: birth.id > latest ? birth.id : latest, births: kept };
}

function toBirth({ metrics }: StoredBirth): Birth {
  const announced = metrics.map(([name, type, alias]) => ({ name, type, ...(alias !== undefined && { alias }) }));
  return {
    byName: new Map(announced.map((metric) => [metric.name, metric])),
    byAlias: new Map(announced.flatMap((metric) => (metric.alias === undefined ? [] : [[metric.alias, metric]]))),
  };
}
