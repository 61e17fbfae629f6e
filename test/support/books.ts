/** Assertions that the ledgers balance: every message and delivery is accounted for. */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import type { Books } from "../../src/ops/books.ts";
import type { TestBridge } from "./bridge.ts";
import { eventually } from "./eventually.ts";
import type { Receiver } from "./receiver.ts";

/** Returns the current ledgers of the bridge. */
export async function ledgersOf(bridge: TestBridge): Promise<Books> {
  const { status, body } = await bridge.api("GET", "/v1/status");
  assert.equal(status, 200);
  return body.books;
}

/** Returns the total of waiting deliveries, summed over the webhooks. */
async function waitingOf(bridge: TestBridge): Promise<number> {
  let waiting = 0;
  for (let after: string | null = ""; after !== null; ) {
    const { body } = await bridge.api("GET", `/v1/webhooks?limit=250${after && `&after=${after}`}`);
    for (const { counts } of body.items) waiting += counts.pending + counts.retrying + counts.active;
    after = body.nextCursor;
  }
  return waiting;
}

/**
 * Waits until the ledgers are stable, with `waiting` deliveries that cannot proceed, and asserts that both equations
 * hold and that the webhooks' own counts match the ledgers.
 * @param receiver has received and accepted every delivery that was ever stored
 * @returns the ledgers
 */
export async function assertBooksClose(
  bridge: TestBridge,
  { waiting = 0, timeoutMs = 30_000, receiver }: { waiting?: number; timeoutMs?: number; receiver?: Receiver } = {},
): Promise<Books> {
  let before: Books | undefined;
  const books = await eventually(
    () => ledgersOf(bridge),
    (now) => {
      // The ledgers are null while the store is away.
      const stable = now?.deliveries.waiting === waiting && isDeepStrictEqual(now, before);
      before = now;
      return stable;
    },
    timeoutMs,
  );
  const { messages, deliveries } = books;
  const { enqueued, succeeded, failed, discarded } = deliveries;
  assert.equal(messages.received, messages.unmatched + messages.enqueued, `messages: ${JSON.stringify(messages)}`);
  assert.equal(enqueued, succeeded + failed + waiting + discarded, `deliveries: ${JSON.stringify(deliveries)}`);
  for (const each of [...Object.values(deliveries), messages.received, messages.unmatched, messages.enqueued]) {
    assert.ok(Number.isSafeInteger(each) && each >= 0, JSON.stringify(books));
  }
  assert.equal(await waitingOf(bridge), waiting, "what waits in the queues of the webhooks");
  if (receiver) {
    const calls = receiver.attempts.map(({ path, headers }) => `${path} ${headers["webhook-id"]}`);
    const sent = new Set(calls).size;
    assert.deepEqual(deliveries, { enqueued: sent, succeeded: sent, failed: 0, waiting: 0, discarded: 0 });
  }
  return books;
}
