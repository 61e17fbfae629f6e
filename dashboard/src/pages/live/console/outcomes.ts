/** Outcomes of messages and requests in words. Pure. */
import type { PublishResult, RequestState, StoredPublish } from "causeway-mqtt/client";

type Outcome = Pick<PublishResult | StoredPublish, "outcome" | "noMatchingSubscribers">;

const PUBLISHED: Record<Outcome["outcome"], string> = {
  sent: "Written to the connection; at QoS 0 the broker does not confirm.",
  acknowledged: "The broker has the message.",
  queued: "Stored. It is published as soon as the broker is available.",
  scheduled: "Stored. It is published at its time.",
  expired: "Expired before it could be published.",
  failed: "The broker did not take the message.",
};

export function publishedWords({ outcome, noMatchingSubscribers }: Outcome): string {
  const words = PUBLISHED[outcome];
  return noMatchingSubscribers ? `${words} No client subscribes to its topic.` : words;
}

const ASKED: Record<RequestState["outcome"], string> = {
  pending: "Stored. Its page shows the response as soon as the device has sent one.",
  responded: "The device responded.",
  expired: "The device did not respond in time.",
  cancelled: "Cancelled.",
  failed: "The request could not be published.",
};

export function askedWords({ outcome }: Pick<RequestState, "outcome">): string {
  return ASKED[outcome];
}
