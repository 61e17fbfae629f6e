/** The handlers of the API, one file per subject. The names are the contract's operationIds. */
import type { Handlers } from "../http/contract/index.ts";
import { type DeliveryPorts, deliveryHandlers } from "./deliveries.ts";
import { type HookPorts, hookHandlers } from "./hooks.ts";
import { type KeyPorts, keyHandlers } from "./keys.ts";
import { type MessagePorts, messageHandlers } from "./messages.ts";
import { type MetricsPorts, metricsHandlers } from "./metrics.ts";
import { type OperationsPorts, operationsHandlers } from "./operations.ts";
import { type PullPorts, pullHandlers } from "./pull.ts";
import { type RequestPorts, requestHandlers } from "./requests.ts";
import { type SessionPorts, sessionHandlers } from "./sessions.ts";
import { type StreamPorts, streamHandlers } from "./streams.ts";
import { type TopicPorts, topicHandlers } from "./topics.ts";
import { type WebhookPorts, webhookHandlers } from "./webhooks.ts";

export interface HandlerPorts
  extends Omit<MessagePorts, "webhooks" | "deliveries">,
    TopicPorts,
    RequestPorts,
    StreamPorts,
    HookPorts,
    Omit<KeyPorts, "keys">,
    Omit<SessionPorts, "keys">,
    WebhookPorts,
    Omit<PullPorts, "webhooks">,
    Omit<DeliveryPorts, "webhooks" | "deliveries">,
    Omit<MetricsPorts, "webhooks">,
    Omit<OperationsPorts, "webhooks"> {
  deliveries: DeliveryPorts["deliveries"] & MessagePorts["deliveries"];
  keys: KeyPorts["keys"] & SessionPorts["keys"];
}

export function createHandlers(ports: HandlerPorts): Handlers {
  return {
    ...messageHandlers(ports),
    ...topicHandlers(ports),
    ...requestHandlers(ports),
    ...streamHandlers(ports),
    ...keyHandlers(ports),
    ...hookHandlers(ports),
    ...sessionHandlers(ports),
    ...webhookHandlers(ports),
    ...deliveryHandlers(ports),
    ...pullHandlers(ports),
    ...metricsHandlers(ports),
    ...operationsHandlers(ports),
  };
}
