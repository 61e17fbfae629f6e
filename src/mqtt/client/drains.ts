/**
 * Items that wait until a socket drains, with one listener for all: MQTT.js adds one for each QoS 0 message, and
 * removing one scans all the others.
 */
import type { EventEmitter } from "node:events";

export class Drains<T> {
  readonly #waiting = new WeakMap<EventEmitter, T[]>();

  constructor(private readonly drained: (item: T) => void) {}

  /** Reports the item once the stream drains; never if the stream breaks before that. */
  wait(stream: EventEmitter, item: T): void {
    const others = this.#waiting.get(stream);
    if (others) {
      others.push(item);
      return;
    }
    const items = [item];
    this.#waiting.set(stream, items);
    stream.once("drain", () => {
      this.#waiting.delete(stream);
      for (const one of items) this.drained(one);
    });
  }
}
