/** `ordering`: deliveries of a message group run one after the other, through retries, kills and several instances. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connectAsync } from "mqtt";
import { assertBooksClose } from "../support/books.ts";
import { startInstances } from "../support/instances.ts";
import { type ReceivedCall, type Receiver, startReceiver } from "../support/receiver.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { embedded, mosquittoAndRedis } from "../support/setups.ts";

const RETRY = { scheduleSeconds: Array(50).fill(0.1) };

/** Publishes 0, 1, 2, … to each of the topics `o/0`, `o/1`, … in turn; resolves when all are acknowledged. */
async function publish(url: string, topics: number, each: number): Promise<void> {
  const client = await connectAsync(url, { reconnectPeriod: 200 });
  for (let n = 0; n < each; n++) {
    const round = Array.from({ length: topics }, (_, t) => client.publishAsync(`o/${t}`, `${n}`, { qos: 1 }));
    await Promise.all(round);
  }
  await client.endAsync();
}

/** Answers 500 to the given share of the calls. */
function failSome(receiver: Receiver, share: number): void {
  receiver.answer = () => (Math.random() < share ? 500 : 204);
}

interface Event {
  subject: string;
  data: number;
  sequence: string;
  id: string;
}

/** Resolves when every message was accepted, with the events in the order in which they were accepted. */
async function accepted(receiver: Receiver, topics: number, each: number, timeoutMs: number) {
  const seen = new Set<string>();
  let looked = 0;
  await receiver.until((calls) => {
    for (; looked < calls.length; looked++) {
      const { subject, data } = JSON.parse(calls[looked]!.body.toString()) as Event;
      seen.add(`${subject} ${data}`);
    }
    return seen.size === topics * each;
  }, timeoutMs);
  return { events: eventsOf(receiver.calls), attempts: eventsOf(receiver.attempts) };
}

function eventsOf(calls: ReceivedCall[]): Event[] {
  return calls.map(({ body }) => JSON.parse(body.toString()) as Event);
}

/** Asserts that each topic has every number in ascending order; only the latest number may repeat. */
function assertInOrder(events: Event[], topics: number, each: number): void {
  const numbers = new Map<string, number[]>();
  for (const { subject, data } of events) numbers.set(subject, [...(numbers.get(subject) ?? []), data]);
  assert.equal(numbers.size, topics);
  for (const [topic, list] of numbers) {
    const steps = list.filter((n, i) => n !== list[i - 1]);
    assert.deepEqual(steps, [...Array(each).keys()], `${topic}: ${list.join(" ")}`);
  }
}

/** Asserts that the deliveries of each topic follow the order in which the bridge received them. */
function assertAsReceived(events: Event[]): void {
  const last = new Map<string, string>();
  for (const { subject, sequence } of events) {
    assert.ok(sequence >= (last.get(subject) ?? ""), `${subject}: ${sequence} came after ${last.get(subject)}`);
    last.set(subject, sequence);
  }
}

/** Returns the first event of each message; the others repeat messages that had no acknowledgement at a kill. */
function firstOf(events: Event[]): Event[] {
  const seen = new Set<string>();
  return events.filter(({ subject, data }) => seen.size < seen.add(`${subject} ${data}`).size);
}

describe("ordering", () => {
  for (const kind of [embedded, mosquittoAndRedis("5")]) {
    describe(kind.name, kind.options, () => {
      for (const { ordering, topics, each } of [
        { ordering: "topic", topics: 20, each: 30 },
        { ordering: "strict", topics: 4, each: 25 },
      ]) {
        it(`${ordering}: ${topics} topics × ${each}, a tenth of the calls failing`, { timeout: 120_000 }, async (t) => {
          const setup = await kind.start();
          const receiver = await startReceiver();
          t.after(async () => {
            await setup.close();
            await receiver.close();
          });
          failSome(receiver, 0.1);
          await setup.bridge.register({ url: receiver.url, topics: ["o/#"], ordering, retry: RETRY });
          await publish(setup.brokerUrl, topics, each);
          const { events, attempts } = await accepted(receiver, topics, each, 100_000);
          assert.equal(events.length, topics * each, "each accepted once");
          assertInOrder(events, topics, each);
          assertInOrder(attempts, topics, each);
          assert.ok(attempts.length > events.length, "some failed");
          const sequences = events.map(({ sequence }) => sequence);
          assert.ok(sequences.every((sequence) => /^\d{16}$/.test(sequence)));
          if (ordering === "strict") assert.deepEqual(sequences, [...sequences].sort());
        });
      }
    });
  }

  const both = requireOrSkip("mosquitto", "redis-server");
  const HOOK = { topics: ["o/#"], ordering: "topic", retry: RETRY, concurrency: 50 };

  it("two instances: 100 topics × 100, a tenth of the calls failing", { ...both, timeout: 280_000 }, async (t) => {
    const { bridges, mosquitto, receiver } = await startInstances(t);
    failSome(receiver, 0.1);
    await bridges[1]!.register({ url: receiver.url, ...HOOK });
    const began = Date.now();
    await publish(mosquitto.url, 100, 100);
    const { events, attempts } = await accepted(receiver, 100, 100, 240_000);
    t.diagnostic(`${events.length} accepted in ${Date.now() - began} ms`);
    assert.equal(events.length, 10_000, "each accepted once");
    assertInOrder(events, 100, 100);
    assertInOrder(attempts, 100, 100);
  });

  it("holds with two instances when the one that delivers is killed", { ...both, timeout: 200_000 }, async (t) => {
    const { bridges, mosquitto, receiver } = await startInstances(t);
    failSome(receiver, 0.1);
    await bridges[1]!.register({ url: receiver.url, ...HOOK });
    const published = publish(mosquitto.url, 20, 100);
    await receiver.until((calls) => calls.length > 500, 60_000);
    await bridges[0]!.kill();
    await published;
    const { events, attempts } = await accepted(receiver, 20, 100, 120_000);
    assertInOrder(firstOf(events), 20, 100);
    assertAsReceived(attempts);
    await assertBooksClose(bridges[1]!, { receiver });
  });

  for (const { kind, topics, each } of [
    { kind: mosquittoAndRedis("5"), topics: 30, each: 60 },
    { kind: embedded, topics: 10, each: 40 },
  ]) {
    it(`holds through SIGKILL in the middle: ${kind.name}`, { ...kind.options, timeout: 200_000 }, async (t) => {
      const setup = await kind.start();
      const receiver = await startReceiver();
      t.after(async () => {
        await setup.close();
        await receiver.close();
      });
      failSome(receiver, 0.1);
      receiver.delayMs = 5;
      await setup.bridge.register({ url: receiver.url, topics: ["o/#"], ordering: "topic", retry: RETRY });
      const published = publish(setup.brokerUrl, topics, each);
      for (const part of [0.2, 0.6]) {
        await receiver.until((calls) => calls.length > topics * each * part, 60_000);
        await setup.bridge.kill();
        await setup.bridge.start();
      }
      await published;
      const { events } = await accepted(receiver, topics, each, 120_000);
      assertAsReceived(events);
      // The embedded broker ends with the bridge and resends its stored messages among new ones.
      if (setup.mosquitto) assertInOrder(firstOf(events), topics, each);
      await assertBooksClose(setup.bridge, { receiver });
    });
  }
});
