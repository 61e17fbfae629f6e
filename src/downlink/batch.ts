/** `POST /v1/messages/batch`: many messages in one request, each of which stands for itself. */
import { type FieldError, fieldsProblem, Problem } from "../errors.ts";
import { type MessageInput, publishMessage } from "./messages.ts";
import { rawElements, rawMember } from "./payload.ts";
import type { Publish, PublishOutcome } from "./publish.ts";

/** An answer as `POST /v1/messages` gives it, beside its HTTP status. */
export type ItemResult = { status: number };

/**
 * Publishes a message that is valid by the contract. Throws or rejects with a Problem.
 * @param rawJson the text of the message, from which a payload that is not a string is taken
 */
export type PublishOne = (input: MessageInput, rawJson: string) => Promise<ItemResult>;

/** What a batch needs from outside. */
export interface BatchPorts {
  /** What is wrong with a message by the contract; fills in the defaults. */
  faults(item: unknown): FieldError[];
  publishOne: PublishOne;
  /** Throws a Problem where the caller may not publish to this topic. */
  check(topic: string, path: string): void;
  /** Takes as much more of the caller's rate limit; throws a Problem where it is used up. */
  take(count: number): void;
  /** Does one of many, or gives the result it had under the same idempotency key. */
  once?: ((index: number, rawJson: string, work: () => Promise<string>) => Promise<string>) | null;
  /** The refusal to show for whatever was thrown. */
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
 * Of one batch under way at once: few enough that no batch fails by its own size, whatever the broker's window, and that
 * most of it does not outlive the young generation; enough that a system call costs little for each.
 */
const WINDOW = 250;

/**
 * The results, in the order of the messages, as the JSON text of the answer. The first {@link WINDOW} messages are
 * published in one turn of the event loop, and so leave in one write.
 * @param rawJson the text of the whole body
 * @throws Problem rate_limited
 */
export async function publishBatch(messages: unknown[], rawJson: string, ports: BatchPorts): Promise<string> {
  // The request itself has been counted as one.
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

/** Whether the payload has to be taken from the text. */
function holdsJson(item: unknown): boolean {
  const payload = (item as MessageInput | null)?.payload;
  return payload !== undefined && typeof payload !== "string";
}

/**
 * Publishes one of many. Never rejects: a refusal is a result, the JSON text of its problem. Not `async`, nor are those
 * it calls, where a promise less for each message is felt.
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

/** The problem as a result, its fields named from the outside: `messages[3].topic`. */
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
