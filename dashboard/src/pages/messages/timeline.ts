/** The steps of a message or request, in the order of time. Pure. */
import type { DeliveryDetail, MessageState, RequestState } from "causeway-mqtt/client";

export type Published = Extract<MessageState, { direction: "published" }>;
export type Received = Extract<MessageState, { direction: "received" }>;
type Attempt = DeliveryDetail["attemptLog"][number];

export interface Step {
  /** RFC 3339. */
  at: string;
  tone: "delivered" | "retrying" | "failed" | "paused" | "live";
  title: string;
  text?: string;
  /** With an attempt: of which delivery, and its place in the log. */
  attempt?: { delivery: DeliveryDetail; log: Attempt; number: number };
  /** Not yet: the planned time. */
  isPlanned?: boolean;
}

/** @param nameOf returns the name of a webhook */
export function receivedSteps(
  message: Received,
  details: readonly DeliveryDetail[],
  nameOf: (webhookId: string) => string,
): Step[] {
  const steps: Step[] = [{ at: message.receivedAt, tone: "live", title: "Received", text: `on ${message.topic}` }];
  for (const delivery of details) {
    const name = nameOf(delivery.webhookId);
    delivery.attemptLog.forEach((log, i) => {
      const tone = log.error === null ? "delivered" : "failed";
      steps.push({ at: log.at, tone, title: name, attempt: { delivery, log, number: i + 1 } });
    });
    const { filtered, status, finishedAt, nextAttemptAt, lastAttempt } = delivery;
    if (filtered && finishedAt) {
      steps.push({
        at: finishedAt,
        tone: "paused",
        title: name,
        text: "Its filter excludes the message: nothing was sent.",
      });
    } else if (status === "failed" && finishedAt) {
      steps.push({ at: finishedAt, tone: "failed", title: name, text: "Given up: the delivery is a dead letter." });
    } else if (nextAttemptAt && lastAttempt) {
      steps.push({ at: nextAttemptAt, tone: "retrying", title: name, text: "Next try", isPlanned: true });
    }
  }
  return inOrder(steps);
}

export function publishedSteps(message: Published): Step[] {
  const { topic, qos, acceptedAt, sendAt, expiresAt, publishedAt, outcome, noMatchingSubscribers, error } = message;
  const steps: Step[] = [{ at: acceptedAt, tone: "live", title: "Accepted", text: `for ${topic}, QoS ${qos}` }];
  const isWaiting = outcome === "scheduled" || outcome === "queued";
  if (sendAt)
    steps.push({ at: sendAt, tone: "live", title: "Scheduled for this time", isPlanned: outcome === "scheduled" });
  if (publishedAt) {
    const isAcknowledged = outcome === "acknowledged";
    const unheard = noMatchingSubscribers ? " It had no subscriber for the topic." : "";
    const text = isAcknowledged
      ? `The broker acknowledged it.${unheard}`
      : "With QoS 0 the broker acknowledges nothing.";
    steps.push({
      at: publishedAt,
      tone: "delivered",
      title: isAcknowledged ? "Published, acknowledged" : "Published",
      text,
    });
  }
  if (outcome === "failed")
    steps.push({ at: acceptedAt, tone: "failed", title: "Not published", ...(error && { text: error }) });
  if (expiresAt && (isWaiting || outcome === "expired")) {
    const hasExpired = outcome === "expired";
    const tone = hasExpired ? "failed" : "paused";
    steps.push({ at: expiresAt, tone, title: hasExpired ? "Expired unpublished" : "Expires", isPlanned: !hasExpired });
  }
  return inOrder(steps);
}

export function requestSteps({ topic, createdAt, expiresAt, outcome, response, error }: RequestState): Step[] {
  const steps: Step[] = [{ at: createdAt, tone: "live", title: "Request accepted", text: `for ${topic}` }];
  if (response)
    steps.push({ at: response.receivedAt, tone: "delivered", title: "Response", text: `on ${response.topic}` });
  if (outcome === "pending")
    steps.push({ at: expiresAt, tone: "paused", title: "Expires without a response", isPlanned: true });
  if (outcome === "expired") steps.push({ at: expiresAt, tone: "failed", title: "Expired without a response" });
  if (outcome === "cancelled") steps.push({ at: createdAt, tone: "paused", title: "Cancelled" });
  if (outcome === "failed")
    steps.push({ at: createdAt, tone: "failed", title: "Not published", ...(error && { text: error }) });
  return inOrder(steps);
}

/** Steps of the same time keep their order. */
function inOrder(steps: Step[]): Step[] {
  return steps.sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
}

/** `Received 14:02:03.120, delivered to 2 of 3 webhooks.` @param clock shows a time */
export function receivedLead(
  { receivedAt, deliveries }: Received,
  details: readonly Pick<DeliveryDetail, "webhookId" | "filtered">[],
  clock: (at: string) => string,
): string {
  const excluding = new Set(details.filter(({ filtered }) => filtered).map(({ webhookId }) => webhookId));
  const sent = deliveries.filter(({ webhookId }) => !excluding.has(webhookId));
  const delivered = sent.filter(({ status }) => status === "succeeded").length;
  const word = sent.length === 1 ? "webhook" : "webhooks";
  const filtered = excluding.size === 0 ? "" : `, filtered out by ${excluding.size}`;
  const to = sent.length === 0 ? "sent to no webhook" : `delivered to ${delivered} of ${sent.length} ${word}`;
  return `Received ${clock(receivedAt)}, ${to}${filtered}.`;
}

export function publishedLead(
  { outcome, acceptedAt, publishedAt, sendAt, error }: Published,
  clock: (at: string) => string,
): string {
  switch (outcome) {
    case "acknowledged":
      return `Published ${clock(publishedAt!)}, acknowledged by the broker.`;
    case "sent":
      return `Published ${clock(publishedAt!)} with QoS 0, which is not acknowledged.`;
    case "scheduled":
      return `Scheduled for ${clock(sendAt!)}.`;
    case "queued":
      return `Accepted ${clock(acceptedAt)}, waits for the broker or for earlier messages.`;
    case "expired":
      return `Accepted ${clock(acceptedAt)}, expired before it could be published.`;
    case "failed":
      return `Not published: ${error ?? "no reason is known"}.`;
  }
}

export function requestLead(
  { outcome, createdAt, expiresAt, response, error }: RequestState,
  clock: (at: string) => string,
): string {
  switch (outcome) {
    case "responded":
      return `Asked ${clock(createdAt)}, the device responded ${clock(response!.receivedAt)}.`;
    case "pending":
      return `Asked ${clock(createdAt)}, waits for the response until ${clock(expiresAt)}.`;
    case "expired":
      return `Asked ${clock(createdAt)}, no response until ${clock(expiresAt)}.`;
    case "cancelled":
      return `Asked ${clock(createdAt)}, cancelled.`;
    case "failed":
      return `Not published: ${error ?? "no reason is known"}.`;
  }
}

/** Whether something can still happen by itself. */
export function isUnfinished(state: MessageState | RequestState): boolean {
  if ("direction" in state && state.direction === "received") {
    return state.deliveries.some(({ status }) => status !== "succeeded" && status !== "failed");
  }
  return ["queued", "scheduled", "pending"].includes((state as Published | RequestState).outcome);
}

/** `14:02:03.120`, on another day with the date. */
export function exactClock(at: string, now: number, isUtc: boolean): string {
  const zone = isUtc ? { timeZone: "UTC" } : {};
  const time = new Intl.DateTimeFormat("en-GB", {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    fractionalSecondDigits: 3,
    ...zone,
  });
  const day = new Intl.DateTimeFormat("en", { month: "short", day: "numeric", ...zone });
  const date = new Date(at);
  const isToday = day.format(date) === day.format(now) && Math.abs(date.getTime() - now) < 86_400_000;
  return `${isToday ? "" : `${day.format(date)}, `}${time.format(date)}${isUtc ? " UTC" : ""}`;
}
