/** `POST /v1/messages/batch`: many messages in one request, each handled independently. */
import { type FieldError, fieldsProblem, Problem } from "../errors.ts";
import { type MessageInput, publishMessage } from "./messages.ts";
import { rawElements, rawMember } from "./payload.ts";
import type { Publish, PublishOutcome } from "./publish.ts";

/** A response as in `POST /v1/messages`, with its HTTP status. */
export type ItemResult = { status: number };

/**
 * Publishes a message that is valid by the contract. Throws or rejects with a Problem.
 * @param rawJson the text of the message; a payload that is not a string is taken from it
 */
export type PublishOne = (input: MessageInput, rawJson: string) => Promise<ItemResult>;

/** Ports of a batch. */
export interface BatchPorts {
  /** Returns the contract violations of a message; fills in the defaults. */
  faults(item: unknown): FieldError[];
  publishOne: PublishOne;
  /** Throws a Problem if the caller may not publish to this topic. */
  check(topic: string, path: string): void;
  /** Consumes `count` more from the caller's rate limit; throws a Problem if it is used up. */
  take(count: number): void;
  /** Processes one message of a batch, or returns its earlier result under the same idempotency key. */
  once?: ((index: number, rawJson: string, work: () => Promise<string>) => Promise<string>) | null;
  /** Converts any thrown error to the Problem to return. */
  refusal(error: unknown): Problem;
}

/** Publishes at once; nothing is stored for later. */
export function publishNow(
  input: MessageInput,
  rawJson: string,
  ports: { publish: Publish; maxPayloadBytes: number },
): Promise<ItemResult> {
  return publishMessage(input, rawJson, ports).then(published);
}

function published({
  id,
  topic,
  qos,
  retain,
  outcome,
  noMatchingSubscribers,
}: PublishOutcome): ItemResult & PublishOutcome {
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
 * @throws Problem rate_limited
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
 * Publishes one message of a batch. Never rejects: a refusal is a result, the JSON text of its problem. Neither this
 * function nor its callees are `async`: one promise less per message is measurable.
 */
export function publishItem(
  item: unknown,
  rawJson: string,
  index: number,
  { faults, check, publishOne, refusal }: BatchPorts,
): Promise<string> {
  try {
    const errors = faults(item);
    if (errors.length > 0) throw fieldsProblem(errors);
    const input = item as MessageInput;
    check(input.topic, "topic");
    return publishOne(input, rawJson).then(textOf, (error) => refusalOf(refusal(error), index));
  } catch (error) {
    return Promise.resolve(refusalOf(refusal(error), index));
  }
}

const textOf = (answer: ItemResult) => JSON.stringify(answer);

/** The problem as a result; its fields are named relative to the whole body: `messages[3].topic`. */
export function refusalOf(problem: Problem, index: number): string {
  if (!problem.errors) return JSON.stringify(problem);
  const errors = problem.errors.map(({ path, message }) => ({ path: below(`messages[${index}]`, path), message }));
  const detail = errors.map(({ path, message }) => `${path}: ${message}`).join("; ");
  return JSON.stringify(new Problem(problem.code, detail, { errors }));
}

function below(outer: string, path: string): string {
  if (path === "" || path.startsWith("[")) return outer + path;
  return `${outer}.${path}`;
}
