/** Meaningful values for the fields of the contract, so that many calls succeed. */
import { SCOPES } from "../../src/keys/caller.ts";
import type { Random } from "./random.ts";
import { ABSENT } from "./schema.ts";

/** Number of topic families, so that a message reaches few of the webhooks. */
const FAMILIES = 40;

/** Paths of the receiver, named after their responses. */
const RECEIVER_PATHS = ["ok", "ok", "ok", "ok", "500", "410", "429", "redirect", "long", "reply"];
/** A topic has three levels, a test event two. */
const TEMPLATES = ["{topic}", "{topic[1]}?all={topic}", "?level={topic[2]}"];
const GOOD_EXPRESSIONS = [
  "data.temperature > 20",
  "true",
  "subject = 'x'",
  "$exists(data)",
  "{ 'a': data, 'b': time }",
];

export function topicOf(random: Random): string {
  return `fuzz/${random.below(FAMILIES)}/${random.pick(["state", "commands", "a b", "größe", "x%2Fy"])}`;
}

export function externalIdOf(random: Random): string {
  return `fuzz:${random.below(8)}`;
}

function filterOf(random: Random): string {
  const family = random.below(FAMILIES);
  return random.pick([`fuzz/${family}/+`, `fuzz/${family}/#`, `fuzz/${family}/state`, `+/${family}/commands`]);
}

/** Returns a filter for keys: some keys may use nearly everything, others little. */
function wideFilterOf(random: Random): string {
  return random.pick(["#", "fuzz/#", "fuzz/+/state", "{keyName}/#", filterOf(random)]);
}

/** @param receiver URL of the receiver @param apiKey the first key */
export function meaningOf(receiver: string, apiKey: string) {
  const url = (random: Random) => `${receiver}/${random.pick(RECEIVER_PATHS)}`;
  return (random: Random, field: string, schema: string | undefined): unknown => {
    switch (schema) {
      case "TopicFilters":
        return Array.from({ length: random.pick([1, 1, 2, 5]) }, () => filterOf(random));
      case "KeyFilters":
        return Array.from({ length: random.pick([0, 1, 1, 3]) }, () => wideFilterOf(random));
      case "KeyScopes":
        return SCOPES.filter((_, i, all) => i === random.below(all.length) || all.length > random.below(8));
      case "RateLimit":
        return { max: random.pick([1, 20, 1_000]), perSeconds: random.pick([1, 60]) };
      case "WebhookRateLimit":
        return { max: random.pick([5, 100]), perSeconds: 1 };
      case "WebhookUrl":
        return field === "tokenUrl" ? `${receiver}/token` : url(random);
      case "WebhookUrlTemplate":
        return random.chance(0.8) ? url(random) : `${url(random)}/${random.pick(TEMPLATES)}`;
      case "WebhookType":
        // A pull webhook refuses most other fields.
        return random.chance(0.8) ? "push" : "pull";
      case "PullInput":
        return { max: 5, waitSeconds: random.pick([0, 1]), leaseSeconds: random.pick([1, 60]) };
      case "ExternalId":
      case "HookExternalId":
        return externalIdOf(random);
      case "WebhookSecret":
        return `whsec_${Buffer.alloc(random.pick([24, 32, 64]), random.below(256)).toString("base64")}`;
      case "WebhookHeaders":
        return random.pick([{}, { "X-Tenant": "fuzz" }, { "x-api-key": "secret", Accept: "*/*" }]);
      case "WebhookEvents":
        return random.pick([[], [], ["webhook.failing"], ["delivery.failed", "webhook.disabled"]]);
      case "RetryPolicy":
        return { scheduleSeconds: random.pick([[], [0.2], [1, 1]]) };
      case "BatchPolicy":
        return { maxSize: random.pick([1, 10, 500]), maxWaitMs: random.pick([0, 100, 1_000]) };
      case "ReplyTopic":
        return random.pick(["{topic}/reply", "fuzz/replies/x", "{responseTopic}"]);
      case "FilterExpression":
      case "TransformExpression":
        return random.pick(GOOD_EXPRESSIONS);
      case "ReceiverAuth":
        return random.pick([
          { type: "basic", username: "fuzz", password: "pass:word" },
          { type: "bearer", token: "token" },
          { type: "oauth2", tokenUrl: `${receiver}/token`, clientId: "fuzz", clientSecret: "secret" },
        ]);
      case "CertificateAuthority":
        return ABSENT;
      case "HookTopic":
        return random.pick([
          topicOf(random),
          topicOf(random),
          "fuzz/{params.a}/state",
          "fuzz/{method}/{headers.host}",
          "fuzz/{body}/x",
        ]);
      case "HookPayload":
        return random.pick(["body", "$", "query.a", "'on'", "$count(params)"]);
      case "HookMethods":
        return random.chance(0.9) ? ["GET", "POST", "PUT", "PATCH", "DELETE"] : random.pick([["POST"], ["GET"]]);
      case "HookVerification":
        // Random calls have no valid signature.
        if (random.chance(0.7)) return { type: "none" };
        return random.pick([
          { type: "gitlab", secret: "fuzz" },
          { type: "meta", secret: "fuzz", verifyToken: "fuzz" },
          ...[
            { type: "standard", secret: "whsec_c2VjcmV0" },
            { type: "stripe", secret: "fuzz" },
          ],
          { type: "hmac", secret: "fuzz", header: "x-sig", algorithm: "sha512", encoding: "base64", prefix: "v=" },
          { type: "basic", username: "fuzz", password: "pass" },
        ]);
      case "UserProperties":
        return random.pick([{}, { a: "1" }, { part: ["1", "of", "9"], status: "ok" }]);
    }
    switch (`${schema}.${field}`) {
      case "RequestInput.topic":
        return random.pick(["fuzz/device/{requestId}", "fuzz/nobody/{requestId}", "fuzz/device/one"]);
      case "RequestInput.responseTopic":
        return random.pick(["fuzz/answers/{requestId}", "fuzz/answers/{requestId}", "fuzz/answers/any"]);
      case "RequestInput.timeoutSeconds":
        return random.pick([0.1, 0.3, 1]);
      case "MessageInput.expirySeconds":
        return random.pick([0, 1, 60, 4_294_967_295]);
      case "WebhookInput.timeoutMs":
      case "WebhookPatch.timeoutMs":
        return random.pick([100, 500, 2_000]);
      case "MessageInput.sendAt":
        return new Date(Date.now() + random.pick([-1_000, 500, 3_600_000, 20 * 86_400_000])).toISOString();
      case "KeyInput.expiresAt":
        return random.pick(["2099-01-01T00:00:00Z", "2099-12-31T23:59:59.5+02:00"]);
      case "SignIn.key":
        return apiKey;
      case "KeyInput.name":
        return random.pick(["fuzz", "site 1", "é"]);
    }
    switch (field) {
      case "topic":
      case "responseTopic":
        return topicOf(random);
      case "topics":
      case "query.filter":
      case "query.topic":
        return filterOf(random);
      default:
        return undefined;
    }
  };
}
