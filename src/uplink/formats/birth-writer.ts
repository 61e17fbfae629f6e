/**
 * Remembers the BIRTHs that one term as the receiver gets, in the order of their arrival. They are in the store before
 * any message after them becomes a delivery, so that every instance finds the names that the message needs.
 */
import { announcedMetrics } from "../../formats/sparkplug/decode.ts";
import type { Message } from "../../message.ts";
import type { Webhook } from "../../webhooks/webhook.ts";
import type { BirthMemory } from "./birth-memory.ts";
import { sparkplugTopic } from "./topic.ts";

export interface BirthWriterOptions {
  memory: Pick<BirthMemory, "add">;
  webhooks: { get(id: string): Pick<Webhook, "payloadFormat"> | undefined };
}

export class BirthWriter {
  readonly #pending: { source: string; message: Message }[] = [];
  #writing: Promise<void> | undefined;

  constructor(private readonly options: BirthWriterOptions) {}

  /** Notes a message if it is a BIRTH for a webhook that decodes Sparkplug. */
  note(message: Message, webhookIds: readonly string[]): void {
    const topic = sparkplugTopic(message.topic);
    if (topic?.type !== "NBIRTH" && topic?.type !== "DBIRTH") return;
    const { webhooks } = this.options;
    if (!webhookIds.some((id) => webhooks.get(id)?.payloadFormat === "sparkplug")) return;
    this.#pending.push({ source: topic.source, message });
  }

  /** Resolves when all noted BIRTHs are in the store; undefined if they are. May be called again after a rejection. */
  written(): Promise<void> | undefined {
    if (this.#pending.length === 0) return undefined;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  async #write(): Promise<void> {
    for (let next = this.#pending[0]; next; next = this.#pending[0]) {
      const announced = announcedBy(next.message);
      if (announced) await this.options.memory.add(next.source, next.message.id, announced);
      this.#pending.shift();
    }
  }
}

/** Returns undefined if the payload is not Sparkplug: its delivery says so. */
function announcedBy({ payload }: Message) {
  try {
    return announcedMetrics(payload);
  } catch {
    return undefined;
  }
}
