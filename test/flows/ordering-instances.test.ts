/** `ordering` with two instances. `TOPICS` and `EACH` set the number of topics and of messages on each. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { assertBooksClose } from "../support/books.ts";
import { startInstances } from "../support/instances.ts";
import { accepted, assertAsReceived, assertInOrder, failSome, firstOf, publish, RETRY } from "../support/ordering.ts";
import { requireOrSkip } from "../support/requirements.ts";

const TOPICS = Number(process.env.TOPICS ?? 20);
const EACH = Number(process.env.EACH ?? 40);
const WAIT_MS = 20_000 + TOPICS * EACH * 20;
const HOOK = { topics: ["o/#"], ordering: "topic", retry: RETRY, concurrency: 50 };

describe("ordering", requireOrSkip("mosquitto", "redis-server"), () => {
  it(`two instances: ${TOPICS} topics × ${EACH}, a tenth of the calls failing`, async (t) => {
    const { bridges, mosquitto, receiver } = await startInstances(t);
    failSome(receiver, 0.1);
    await bridges[1]!.register({ url: receiver.url, ...HOOK });
    const began = Date.now();
    await publish(mosquitto.url, TOPICS, EACH);
    const { events, attempts } = await accepted(receiver, TOPICS, EACH, WAIT_MS);
    t.diagnostic(`${events.length} accepted in ${Date.now() - began} ms`);
    assert.equal(events.length, TOPICS * EACH, "each accepted once");
    assertInOrder(events, TOPICS, EACH);
    assertInOrder(attempts, TOPICS, EACH);
  });

  it("holds with two instances when the one that delivers is killed", async (t) => {
    const { bridges, mosquitto, receiver } = await startInstances(t);
    failSome(receiver, 0.1);
    await bridges[1]!.register({ url: receiver.url, ...HOOK });
    const published = publish(mosquitto.url, TOPICS, EACH);
    await receiver.until((calls) => calls.length > (TOPICS * EACH) / 4);
    await bridges[0]!.kill();
    await published;
    const { events, attempts } = await accepted(receiver, TOPICS, EACH, WAIT_MS);
    assertInOrder(firstOf(events), TOPICS, EACH);
    assertAsReceived(attempts);
    await assertBooksClose(bridges[1]!, { receiver });
  });
});
