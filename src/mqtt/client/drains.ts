/**
 * What waits until a socket takes more, with one listener for all: MQTT.js adds one for each message of QoS 0, and the
 * removal of each looks through all the others.
 */
import type { EventEmitter } from "node:events";

export class Drains<T> {
  readonly #waiting = new WeakMap<EventEmitter, T[]>();

  constructor(private readonly drained: (item: T) => void) {}

  /** Of a stream that breaks before it drains nothing more is heard. */
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
