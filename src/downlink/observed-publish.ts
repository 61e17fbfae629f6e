/** Publishes and reports every result, with its duration. */
import type { OutgoingMessage, Publish, PublishResult } from "./publish.ts";

export interface ObservedPublishOptions {
  publisher: { publish: Publish };
  observe: { published(message: OutgoingMessage, result: PublishResult, startedAt: number): void };
}

export function createObservedPublish({ publisher, observe }: ObservedPublishOptions): Publish {
  return (message) => {
    const startedAt = performance.now();
    return publisher.publish(message).then((result) => {
      observe.published(message, result, startedAt);
      return result;
    });
  };
}
