/** `causeway-mqtt/client`: the typed client of the HTTP API, for Node.js and browsers. */
export { Causeway, type CausewayOptions } from "./causeway.ts";
export { checkClock, readyFindings, statusFindings } from "./doctor/bridge-checks.ts";
export { failedAttempts } from "./doctor/failed-attempts.ts";
export type { Finding } from "./doctor/finding.ts";
export { checkHooks } from "./doctor/hook-checks.ts";
export { checkWebhooks } from "./doctor/webhook-checks.ts";
export { CausewayConnectionError, CausewayError, CausewayTimeoutError, isCausewayError } from "./errors.ts";
export { type Page, PageList } from "./pages.ts";
export { payloadBytes, payloadJson, payloadText } from "./payload.ts";
export type { MessageSource, PublishManyOptions } from "./publish-many.ts";
export type { Pulled, PullOptions } from "./pull.ts";
export type { StreamOptions } from "./stream.ts";
export type { RawPayload, RetainedMessage, RetainedPage, TopicOptions } from "./topics.ts";
export type * from "./types.ts";
