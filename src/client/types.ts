/** Public names for the types of the contract. */
import type { components, operations } from "../http/contract/generated.ts";

type Schemas = components["schemas"];

/** The generated types require fields with a default, which a caller may omit. */
type WithDefaults<T, K extends keyof T> = Omit<T, K> & Partial<Pick<T, K>>;

type QueryOf<Id extends keyof operations> = NonNullable<operations[Id]["parameters"]["query"]>;

export type MessageInput = WithDefaults<Schemas["MessageInput"], "qos" | "retain" | "payloadFormat">;
export type RequestInput = WithDefaults<Schemas["RequestInput"], "qos" | "timeoutSeconds" | "payloadFormat">;
export type WebhookInput = WithDefaults<
  Schemas["WebhookInput"],
  | ("type" | "method" | "enabled" | "qos" | "mode" | "concurrency" | "timeoutMs" | "retained")
  | ("payloadFormat" | "ordering" | "events")
>;
export type WebhookPatch = Schemas["WebhookPatch"];
export type SampleMessage = WithDefaults<Schemas["SampleMessage"], "qos" | "retain" | "payloadFormat">;
export type ReplayInput = Omit<Schemas["ReplayInput"], "dryRun">;
export type PullInput = { [Field in keyof Schemas["PullInput"]]?: Schemas["PullInput"][Field] | undefined };
/** A delivery in the hands of a consumer. */
export type PulledDelivery = Omit<Schemas["PulledDelivery"], "event"> & { event: CloudEvent };
/** Identifies a delivery that was taken, for `ack` and `nack`. */
export type Lease = Pick<PulledDelivery, "messageId" | "leaseToken">;
export type KeyInput = Schemas["KeyInput"];
export type HookInput = WithDefaults<Schemas["HookInput"], "qos" | "retain" | "durable">;
export type HookPatch = Schemas["HookPatch"];
/** A call of a hook, for a preview. */
export type SampleCall = Schemas["SampleCall"];
export type HookPreview = Schemas["HookPreview"];

export type Problem = Schemas["Problem"];
export type ProblemCode = Schemas["ProblemCode"];
export type FieldError = Schemas["FieldError"];
export type PublishResult = Schemas["PublishResult"];
export type StoredPublish = Schemas["StoredPublish"];
/** `direction` tells a stored message to publish from a received one. */
export type MessageState = Schemas["MessageState"];
/** Result of one message of a batch: `"outcome" in result` if it was accepted, `"code" in result` if it was refused. */
export type BatchResult = ({ status: 200 } & PublishResult) | ({ status: 202 } & StoredPublish) | Problem;
export type RetainedTopic = Schemas["RetainedTopic"];
export type Responded = Schemas["Responded"];
export type RequestState = Schemas["RequestState"];
export type Webhook = Schemas["Webhook"];
export type CreatedWebhook = Schemas["CreatedWebhook"];
export type Preview = Schemas["Preview"];
export type PreviewResults = Schemas["PreviewResults"];
export type Replay = Schemas["Replay"];
export type Delivery = Schemas["Delivery"];
export type DeliveryDetail = Schemas["DeliveryDetail"];
export type Key = Schemas["Key"];
export type Hook = Schemas["Hook"];
export type CreatedKey = Schemas["CreatedKey"];
export type PortalSessionInput = WithDefaults<Schemas["PortalSessionInput"], "ttlSeconds">;
export type PortalSession = Schemas["PortalSession"];
export type CallerRights = Schemas["CallerRights"];
export type WebhookMetrics = Schemas["WebhookMetrics"];
/** `received` and `published` are present for keys that may see everything. */
export type AllMetrics = Schemas["AllMetrics"];
export type MetricsPoint = Schemas["MetricsPoint"];
export type Status = Schemas["Status"];
/** A message as a CloudEvent, as streams and webhooks carry it. */
export type CloudEvent = Schemas["CloudEvent"];

export type PublishQuery = QueryOf<"publishToTopic">;
export type RetainedQuery = QueryOf<"listRetained">;
export type ListQuery = QueryOf<"listKeys">;
export type WebhooksQuery = QueryOf<"listWebhooks">;
export type DeliveriesQuery = QueryOf<"listAllDeliveries">;
export type WebhookDeliveriesQuery = QueryOf<"listDeliveries">;
export type MetricsQuery = QueryOf<"getWebhookMetrics">;

/** Options of every call. */
export interface CallOptions {
  /** Aborts the call: it rejects with the reason of the signal. */
  signal?: AbortSignal | undefined;
  /** Limit of the whole call in milliseconds, its retries included. */
  timeoutMs?: number | undefined;
}

/** Options of calls that create something or act. */
export interface ActOptions extends CallOptions {
  /** Your own idempotency key; absent: a random one. */
  idempotencyKey?: string | undefined;
}
