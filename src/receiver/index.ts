/** `causeway-mqtt/receiver`: verifies and reads the calls of a webhook. See docs/receivers.md. */
export type { NodeHandler, NodeRequest } from "./body.ts";
export { BodyAlreadyRead, Gone, RetryLater } from "./errors.ts";
export type { ReceivedEvent } from "./event.ts";
export type { FastifyReceiver, FastifyReceiverOptions } from "./fastify.ts";
export { type HandledIds, MemoryIds, type MemoryIdsOptions } from "./handled-ids.ts";
export { createReceiver, type ReceiverOptions, type WebhookReceiver } from "./receiver.ts";
export { Reply } from "./reply.ts";
