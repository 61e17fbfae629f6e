/** Runs the application's handler once per event, however often and in parallel the event arrives. */
import type { ReceivedEvent } from "./event.ts";
import type { HandledIds } from "./handled-ids.ts";
import { decodeReply, encodeReply, type HandlerReply, replyOf } from "./reply.ts";

export interface DeduplicationOptions {
  handle(event: ReceivedEvent): unknown;
  ids: HandledIds;
  /** Called when a handled id could not be stored. */
  onError(error: unknown, event: ReceivedEvent): void;
}

export class Deduplication {
  readonly #running = new Map<string, Promise<HandlerReply | undefined>>();

  constructor(private readonly options: DeduplicationOptions) {}

  /** Returns the reply, also to a repeated call: the response to the first one can have been lost. */
  handle(event: ReceivedEvent): Promise<HandlerReply | undefined> {
    let outcome = this.#running.get(event.id);
    if (!outcome) {
      outcome = this.#handleUnlessKnown(event).finally(() => this.#running.delete(event.id));
      this.#running.set(event.id, outcome);
    }
    return outcome;
  }

  async #handleUnlessKnown(event: ReceivedEvent): Promise<HandlerReply | undefined> {
    const { ids, handle, onError } = this.options;
    const known = await ids.get(event.id);
    if (known !== undefined && known !== null) return decodeReply(known);
    const reply = replyOf(await handle(event));
    try {
      await ids.set(event.id, encodeReply(reply));
    } catch (error) {
      onError(error, event); // The event is handled: repeating the call would only handle it twice.
    }
    return reply;
  }
}
