/**
 * Destinations of received messages: the webhooks, and the queue of the responses to requests. Each wants some filters,
 * and has a queue of its own.
 */
import type { QoS } from "../../message.ts";
import { queueName } from "../queue/job.ts";
import { createSubscribable } from "./rejected-filters.ts";

export interface Destination {
  id: string;
  topics: string[];
  qos: QoS;
}

export interface DestinationsOptions {
  webhooks: { all(): Destination[]; get(id: string): unknown };
  /** Topics of the responses to requests. */
  responses: { readonly topics: readonly string[] };
  observe: {
    /** A stored filter was skipped because brokers end the connection for it. */
    filterSetAside(webhookId: string, filter: string, reason: string): void;
  };
}

/** Takes the place of a webhook's id. */
const RESPONSES = "answers";
export const RESPONSES_QUEUE = queueName(RESPONSES);
const RESPONSES_QOS = 1 as const;

export class Destinations {
  readonly #subscribable: (webhook: Destination) => Destination;

  constructor(private readonly options: DestinationsOptions) {
    this.#subscribable = createSubscribable(options.observe.filterSetAside);
  }

  all(): Destination[] {
    const { webhooks, responses } = this.options;
    const topics = [...responses.topics];
    const wanted = webhooks.all().map(this.#subscribable);
    return topics.length === 0 ? wanted : [...wanted, { id: RESPONSES, topics, qos: RESPONSES_QOS }];
  }

  /** Whether the destination still exists. */
  has(id: string): boolean {
    return id === RESPONSES || this.options.webhooks.get(id) !== undefined;
  }
}
