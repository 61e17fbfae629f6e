/** Lists of deliveries, answered from the store's index: only the deliveries on the page are loaded. */
import { decodeCursor, encodeCursor } from "../../../lib/cursor.ts";
import { type DeliveryFilter, type FilterInput, InvalidField, readFilter } from "../delivery-filter.ts";
import type { DeliveryQueue } from "../delivery-queue.ts";
import { queueName, webhookOfQueue } from "../job.ts";
import { type Delivery, type DeliveryStatus, STATES, STATUSES, statusOf, toDelivery } from "./delivery-queries.ts";
import { type FoundDelivery, type ListIndex, type ListPosition, newestFirst } from "./newest-first.ts";

export interface DeliverySource {
  index: ListIndex;
  of(webhookId: string): DeliveryQueue;
}

export interface DeliveryPage {
  items: Delivery[];
  nextCursor: string | null;
}

export interface DeliveryQuery extends FilterInput {
  status?: DeliveryStatus;
  after?: string;
  limit: number;
}

/** Jobs loaded at once: each may hold a payload of the maximum size. */
const LOAD = 50;

/** Returns one page of the deliveries of all these webhooks, newest first. */
export async function listAcross(
  source: DeliverySource,
  webhookIds: readonly string[],
  query: DeliveryQuery,
): Promise<DeliveryPage | InvalidField> {
  const filter = readFilter(query);
  if (filter instanceof InvalidField) return filter;
  const after = query.after === undefined ? undefined : readPosition(decodeCursor(query.after));
  if (query.after !== undefined && !after) return noCursor();
  const { found, next } = await newestFirst(source.index, {
    ...indexFilter(filter, query.status),
    queues: webhookIds.map(queueName),
    after,
    limit: query.limit,
  });
  return { items: await load(source, found), nextCursor: next ? encodeCursor(writePosition(next)) : null };
}

/**
 * Returns one page of the deliveries of a webhook, by status in the order active, pending, retrying, failed, succeeded,
 * and newest first within each. A delivery whose status changes meanwhile may be on two pages or on none.
 */
export async function listDeliveries(
  source: DeliverySource,
  webhookId: string,
  query: DeliveryQuery,
): Promise<DeliveryPage | InvalidField> {
  const filter = readFilter(query);
  if (filter instanceof InvalidField) return filter;
  const cursor = readCursor(query.after);
  if (!cursor) return noCursor();
  const wanted = query.status ? [query.status] : STATUSES;
  const found: FoundDelivery[] = [];
  let { status, after } = cursor;
  while (status < wanted.length && found.length < query.limit) {
    const page = await newestFirst(source.index, {
      ...indexFilter(filter, wanted[status]),
      queues: [queueName(webhookId)],
      after,
      limit: query.limit - found.length,
    });
    found.push(...page.found);
    after = page.next;
    if (after) break;
    status++;
  }
  const next = after ? `${status}.${writePosition(after)}` : String(status);
  return { items: await load(source, found), nextCursor: status < wanted.length ? encodeCursor(next) : null };
}

function indexFilter({ since, until, topic }: DeliveryFilter, status: DeliveryStatus | undefined) {
  return { since: Number.isFinite(since) ? since : undefined, until, topic, states: status && STATES[status] };
}

/** Loads the deliveries. One that was removed meanwhile is left out. */
async function load(source: DeliverySource, found: FoundDelivery[]): Promise<Delivery[]> {
  const items: (Delivery | undefined)[] = [];
  for (let i = 0; i < found.length; i += LOAD) {
    const loaded = found.slice(i, i + LOAD).map(async ({ queue: name, id, state }) => {
      const webhookId = webhookOfQueue(name);
      const queue = source.of(webhookId);
      const job = await queue.get(id);
      return job && toDelivery(queue, job, webhookId, statusOf(state)!);
    });
    items.push(...(await Promise.all(loaded)));
  }
  return items.filter((item) => item !== undefined);
}

/** Place in the list of one webhook: `status` statuses are read, and the next one up to `after`. */
function readCursor(cursor: string | undefined): { status: number; after?: ListPosition } | undefined {
  if (cursor === undefined) return { status: 0 };
  const [, status, , position] = /^(\d)(\.(.*))?$/.exec(decodeCursor(cursor) ?? "") ?? [];
  if (status === undefined) return undefined;
  const after = readPosition(position);
  return position !== undefined && !after ? undefined : { status: Number(status), after };
}

function writePosition({ at, id, queue }: ListPosition): string {
  return `${at}.${id}.${webhookOfQueue(queue)}`;
}

function readPosition(text: string | undefined): ListPosition | undefined {
  const [, at, id, webhookId] = /^(\d{1,15})\.(msg_[0-9a-f-]{36})\.(wh_[0-9a-f-]{36})$/.exec(text ?? "") ?? [];
  return at && id && webhookId ? { at: Number(at), id, queue: queueName(webhookId) } : undefined;
}

function noCursor(): InvalidField {
  return new InvalidField("after", "is not a cursor of this list");
}
