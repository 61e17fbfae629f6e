/** Numbered messages on several topics, and assertions about the order in which a receiver accepts them. */
import assert from "node:assert/strict";
import { connectAsync } from "mqtt";
import type { ReceivedCall, Receiver } from "./receiver.ts";

export const RETRY = { scheduleSeconds: Array(50).fill(0.1) };

/** Publishes 0, 1, 2, … to each of the topics `o/0`, `o/1`, … in turn; resolves when all are acknowledged. */
export async function publish(url: string, topics: number, each: number): Promise<void> {
  const client = await connectAsync(url, { reconnectPeriod: 200 });
  for (let n = 0; n < each; n++) {
    const round = Array.from({ length: topics }, (_, t) => client.publishAsync(`o/${t}`, `${n}`, { qos: 1 }));
    await Promise.all(round);
  }
  await client.endAsync();
}

/** Answers 500 to the given share of the calls, and to the third in any case. */
export function failSome(receiver: Receiver, share: number): void {
  let calls = 0;
  receiver.answer = () => (++calls === 3 || Math.random() < share ? 500 : 204);
}

export interface Event {
  subject: string;
  data: number;
  sequence: string;
  id: string;
}

/** Resolves when every message was accepted, with the events in the order in which they were accepted. */
export async function accepted(receiver: Receiver, topics: number, each: number, timeoutMs: number) {
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
export function assertInOrder(events: Event[], topics: number, each: number): void {
  const numbers = new Map<string, number[]>();
  for (const { subject, data } of events) numbers.set(subject, [...(numbers.get(subject) ?? []), data]);
  assert.equal(numbers.size, topics);
  for (const [topic, list] of numbers) {
    const steps = list.filter((n, i) => n !== list[i - 1]);
    assert.deepEqual(steps, [...Array(each).keys()], `${topic}: ${list.join(" ")}`);
  }
}

/** Asserts that the deliveries of each topic follow the order in which the bridge received them. */
export function assertAsReceived(events: Event[]): void {
  const last = new Map<string, string>();
  for (const { subject, sequence } of events) {
    assert.ok(sequence >= (last.get(subject) ?? ""), `${subject}: ${sequence} came after ${last.get(subject)}`);
    last.set(subject, sequence);
  }
}

/** Returns the first event of each message; the others repeat messages that had no acknowledgement at a kill. */
export function firstOf(events: Event[]): Event[] {
  const seen = new Set<string>();
  return events.filter(({ subject, data }) => seen.size < seen.add(`${subject} ${data}`).size);
}
