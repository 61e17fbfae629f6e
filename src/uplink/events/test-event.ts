/** Creates a test event, with which a user checks a receiver. */
import { newId } from "../../message.ts";
import type { DeliveryJob } from "../queue/job.ts";

export function testEvent(webhookId: string): { id: string; data: DeliveryJob } {
  const payload = JSON.stringify({ webhook: webhookId, message: "This is a test." });
  const [topic, type] = ["causeway/test", "webhook.test"];
  return { id: newId("msg"), data: { topic, type, payload, qos: 0, retain: false, receivedAt: Date.now() } };
}
