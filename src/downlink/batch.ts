/** `POST /v1/messages/batch`: many messages in one request, each handled independently. */
import { type FieldError, Refused, refuseFields } from "../errors.ts";
import { type MessageInput, publishMessage } from "./messages.ts";
import { rawElements, rawMember } from "./payload.ts";
import type { Publish, PublishOutcome } from "./publish.ts";

/** A response as in `POST /v1/messages`, with its HTTP status. */
export type ItemResult = { status: number };

/**
 * Publishes a message that is valid by the contract.
 * @param rawJson the text of the message; a payload that is not a string is taken from it
 */
export type PublishOne = (input: MessageInput, rawJson: string) => Promise<ItemResult | Refused>;

/** Ports of a batch. */
export interface BatchPorts {
  /** Returns the contract violations of a message; fills in the defaults. */
  faults(item: unknown): FieldError[];
  publishOne: PublishOne;
  /** Refuses a topic that the caller may not publish to. */
  check(topic: string, path: string): Refused | undefined;
  /** Consumes `count` more from the caller's rate limit; throws if it is used up. */
  take(count: number): void;
  /** Processes one message of a batch, or returns its earlier result under the same idempotency key. */
  once?: ((index: number, rawJson: string, work: () => Promise<string>) => Promise<string>) | null;
  /** Serializes a {@link Refused}, or any thrown error, as the result of the message at this index. */
  refusal(error: unknown, index: number): string;
}

/** Publishes at once; nothing is stored for later. */
export function publishNow(
  input: MessageInput,
  rawJson: string,
  ports: { publish: Publish; maxPayloadBytes: number },
): Promise<ItemResult | Refused> {
  return publishMessage(input, rawJson, ports).then(published);
}

function published(result: PublishOutcome | Refused): (ItemResult & PublishOutcome) | Refused {
  if (result instanceof Refused) return result;
  const { id, topic, qos, retain, outcome, noMatchingSubscribers } = result;
  return { status: 200, id, topic, qos, retain, outcome, noMatchingSubscribers };
}

/**
 * Number of messages of one batch that are in progress at once: few enough that no batch fails by its own size,
 * whatever the broker's window, and that most of its objects do not outlive the young generation; enough that the
 * system call costs little per message.
 */
const WINDOW = 250;

/**
 * Publishes a batch and returns the results, in the order of the messages, as the JSON text of the response. The first
 * {@link WINDOW} messages are published in one turn of the event loop and therefore leave in one write.
 * @param rawJson the text of the whole body
 */
export async function publishBatch(messages: unknown[], rawJson: string, ports: BatchPorts): Promise<string> {
  // The request itself already counts as one.
  if (messages.length > 1) ports.take(messages.length - 1);
  const texts = messages.some(holdsJson) ? rawElements(rawMember(rawJson, "messages")!) : [];
  const results = new Array<string>(messages.length);
  let [started, done] = [0, 0];
  await new Promise<void>((resolve) => {
    const startNext = () => {
      const i = started++;
      publishItem(messages[i], texts[i] ?? "", i, ports).then((result) => {
        results[i] = result;
        if (++done === messages.length) resolve();
        else if (started < messages.length) startNext();
      });
    };
    while (started < Math.min(WINDOW, messages.length)) startNext();
  });
  return `{"results":[${results.join(",")}]}`;
}

/** Whether the payload has to be taken from the raw text. */
function holdsJson(item: unknown): boolean {
  const payload = (item as MessageInput | null)?.payload;
  return payload !== undefined && typeof payload !== "string";
}

/**
 * Publishes one message of a batch. Never rejects: a refusal is a result. Neither this function nor its callees are
 * `async`: one promise less per message is measurable.
 */
export function publishItem(
  item: unknown,
  rawJson: string,
  index: number,
  { faults, check, publishOne, refusal }: BatchPorts,
): Promise<string> {
  try {
    const input = item as MessageInput;
    const refused = refuseFields(faults(item)) ?? check(input.topic, "topic");
    if (refused) return Promise.resolve(refusal(refused, index));
    return publishOne(input, rawJson).then(
      (result) => (result instanceof Refused ? refusal(result, index) : JSON.stringify(result)),
      (error) => refusal(error, index),
    );
  } catch (error) {
    return Promise.resolve(refusal(error, index));
  }
}
