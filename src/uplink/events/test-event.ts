/** Test events, with which a user checks a receiver. */
import { newId } from "../../message.ts";
import type { DeliveryJob } from "../queue/job.ts";

export interface TestEventsOptions {
  queues: { add(webhookId: string, jobs: { id: string; data: DeliveryJob }[]): Promise<void> };
  observe: {
    /** An event of the bridge itself was queued. */
    added(webhookId: string): void;
  };
}

export class TestEvents {
  constructor(private readonly options: TestEventsOptions) {}

  /** Queues a test event. @returns its id */
  async send(webhookId: string): Promise<string> {
    const { queues, observe } = this.options;
    const id = newId("msg");
    const payload = JSON.stringify({ webhook: webhookId, message: "This is a test." });
    const [topic, type] = ["causeway/test", "webhook.test"];
    const data: DeliveryJob = { topic, type, payload, qos: 0, retain: false, receivedAt: Date.now() };
    await queues.add(webhookId, [{ id, data }]);
    observe.added(webhookId);
    return id;
  }
}
