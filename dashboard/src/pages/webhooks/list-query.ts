/** Filters and order of the list of webhooks, as its address has them. Pure. */
import type { Webhook, WebhooksQuery } from "causeway-mqtt/client";
import { nameOf } from "../../data/states.ts";

export const STATES = ["active", "failing", "paused", "disabled"] as const;
export const SORTS = ["state", "name", "success", "p99", "waiting"] as const;
export type Sort = (typeof SORTS)[number];

export interface ListQuery {
  name: string;
  state: Webhook["state"] | undefined;
  topic: string;
  sort: Sort | undefined;
  /** Against the direction that a column begins with. */
  isReversed: boolean;
}

export function listQueryOf(query: Record<string, string | undefined>): ListQuery {
  return {
    name: query.q ?? "",
    state: STATES.find((state) => state === query.state),
    topic: query.topic ?? "",
    sort: SORTS.find((sort) => sort === query.sort),
    isReversed: query.order === "reverse",
  };
}

/** The parameters of the address; absent ones are those of the plain list. */
export function parametersOf({ name, state, topic, sort, isReversed }: ListQuery): Record<string, string | undefined> {
  return { q: name, state, topic, sort, order: sort && isReversed ? "reverse" : undefined };
}

/** The filters that the API evaluates. */
export function filtersOf({ name, state, topic }: ListQuery): WebhooksQuery {
  const query: Partial<WebhooksQuery> = { ...(name && { name }), ...(state && { state }), ...(topic && { topic }) };
  return query as WebhooksQuery;
}

export function isFiltered(query: ListQuery): boolean {
  return Object.keys(filtersOf(query)).length > 0;
}

/** Sorts by another column, or by the same one the other way round. */
export function sortedBy(query: ListQuery, sort: Sort): ListQuery {
  return { ...query, sort, isReversed: query.sort === sort && !query.isReversed };
}

/** Figures of a webhook in the last 24 h. */
export interface DayFigures {
  enqueued: number;
  succeeded: number;
  failed: number;
  retried: number;
  p99Ms: number | null;
}

/** Attempts that succeeded, and all attempts: failed deliveries and repeated attempts are failures, too. */
export function attemptsOf({ succeeded, failed, retried }: DayFigures): [succeeded: number, all: number] {
  return [succeeded, succeeded + failed + retried];
}

const WORST_FIRST: Webhook["state"][] = ["disabled", "failing", "paused", "active"];

/** A key for comparison: the rows with the smallest come first, those without one last. */
type SortKey = (webhook: Webhook, figures: DayFigures | undefined) => number | string | undefined;

const KEYS: Record<Sort, SortKey> = {
  state: ({ state }) => WORST_FIRST.indexOf(state),
  name: (webhook) => nameOf(webhook).toLowerCase(),
  success: (_, figures) => {
    const [succeeded, all] = figures ? attemptsOf(figures) : [0, 0];
    return all === 0 ? undefined : succeeded / all;
  },
  p99: (_, figures) => (figures?.p99Ms == null ? undefined : -figures.p99Ms),
  waiting: ({ counts: { pending, active, retrying } }) => -(pending + active + retrying),
};

/** Compares many times faster than `localeCompare`. */
const NAMES = new Intl.Collator();

/** The rows in order: worst, slowest and fullest first, names from A to Z. */
export function inOrderOf(
  webhooks: readonly Webhook[],
  { sort, isReversed }: Pick<ListQuery, "sort" | "isReversed">,
  figures: ReadonlyMap<string, DayFigures>,
): Webhook[] {
  if (!sort) return [...webhooks];
  const keyed = webhooks.map((webhook) => ({ webhook, key: KEYS[sort](webhook, figures.get(webhook.id)) }));
  const sign = isReversed ? -1 : 1;
  keyed.sort(({ key: a }, { key: b }) => {
    if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
    return sign * (typeof a === "string" ? NAMES.compare(a, b as string) : a - (b as number));
  });
  return keyed.map(({ webhook }) => webhook);
}

export function countLead(count: number | undefined, unhealthy: number | undefined, isMore: boolean): string {
  if (count === undefined || unhealthy === undefined) return "";
  if (count === 0) return "No webhooks yet.";
  const words = `${count.toLocaleString("en")} ${count === 1 ? "webhook" : "webhooks"}`;
  if (unhealthy === 0) return `${words}, none failing or disabled.`;
  return `${words}, ${isMore ? "more than " : ""}${unhealthy.toLocaleString("en")} not healthy.`;
}
