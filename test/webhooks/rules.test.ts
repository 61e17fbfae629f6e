/** Validation of registrations: the order of the checks, and the field that each refusal names. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MAX_TOPIC_LEVELS } from "../../src/topic.ts";
import { checkCombination, checkPurpose, checkWebhook, type WebhookRules } from "../../src/webhooks/rules.ts";
import type { AuthInput, Webhook, WebhookPatch } from "../../src/webhooks/webhook.ts";
import { faultsOf, faultsOfAsync } from "./support.ts";

const oauth2: AuthInput = { type: "oauth2", tokenUrl: "https://login.test/", clientId: "c", clientSecret: "s" };
const levels = (count: number) => Array(count).fill("a").join("/");

/** Refuses every value that contains "bad", and every URL that contains "internal". */
function rulesThatAsk(asked: string[] = []): WebhookRules {
  const wrong = (value: string) => (value.includes("bad") ? "is bad" : undefined);
  return {
    urlError: async (url) => {
      asked.push(url);
      if (url.includes("internal")) return { code: "blocked_address", message: "is internal" };
      return url.includes("bad") ? { code: "invalid_url", message: "is bad" } : undefined;
    },
    headerError: (name, value) => wrong(name) ?? wrong(value),
    secretError: wrong,
    expressionError: async (expression) => wrong(expression),
  };
}

describe("a registration", () => {
  const cases: [reason: string, input: WebhookPatch, ...faults: string[]][] = [
    ["may be empty", {}],
    [
      "may have any valid fields",
      { url: "https://x.test/", topics: ["a/+", "#"], headers: { a: "b" }, secret: "s", auth: oauth2, filter: "data" },
    ],
    ["may remove optional fields", { filter: null, transform: null, auth: null, ca: null, events: null }],
    ["may have a topic of the most levels", { topics: [levels(MAX_TOPIC_LEVELS)] }],

    [
      "names a topic with one level too many",
      { topics: ["a", levels(MAX_TOPIC_LEVELS + 1)] },
      "invalid_topic_filter",
      "topics[1]",
    ],
    [
      "names every invalid topic",
      { topics: ["", "a/#/b", "ok", "a+"] },
      "invalid_topic_filter",
      "topics[0]",
      "topics[1]",
      "topics[3]",
    ],
    ["names a shared subscription", { topics: ["$share/g/a"] }, "invalid_topic_filter", "topics[0]"],
    ["names topics before all else", { topics: [""], secret: "bad", url: "bad" }, "invalid_topic_filter", "topics[0]"],
    ["names a header by its name", { headers: { good: "x", "bad-name": "x" } }, "invalid_request", "headers.bad-name"],
    ["names a header by its value", { headers: { "X-A": "bad" } }, "invalid_request", "headers.X-A"],
    ["names the secret", { secret: "bad" }, "invalid_request", "secret"],
    ["names a field of auth", { auth: { type: "bearer", token: "a b" } }, "invalid_request", "auth.token"],
    ["names the certificate authorities", { ca: "no PEM" }, "invalid_request", "ca"],
    ["names the filter", { filter: "bad" }, "invalid_request", "filter"],
    ["names the transform", { transform: "bad" }, "invalid_request", "transform"],
    [
      "names all of them at once",
      {
        ...{ headers: { a: "bad", b: "bad" }, secret: "bad", auth: { type: "bearer" }, ca: "x" },
        ...{ filter: "bad", transform: "bad" },
      },
      ...["invalid_request", "headers.a", "headers.b", "secret", "auth.token", "ca", "filter", "transform"],
    ],
    ["may have a URL template", { url: "https://x.test/{topic}" }],
    ["names a URL template outside path and query", { url: "https://{topic}.x.test/" }, "invalid_url", "url"],
    ["names an invalid URL", { url: "bad" }, "invalid_url", "url"],
    ["names a blocked URL", { url: "http://internal/" }, "blocked_address", "url"],
    [
      "names a blocked token URL",
      { auth: { ...oauth2, tokenUrl: "http://internal/" } },
      "blocked_address",
      "auth.tokenUrl",
    ],
    [
      "names an invalid token URL",
      { url: "https://x.test/", auth: { ...oauth2, tokenUrl: "bad" } },
      "invalid_url",
      "auth.tokenUrl",
    ],
    [
      "names the URL before the token URL",
      { url: "bad", auth: { ...oauth2, tokenUrl: "http://internal/" } },
      "invalid_url",
      "url",
    ],
  ];
  for (const [reason, input, ...faults] of cases) {
    it(reason, async () => assert.deepEqual(await faultsOfAsync(() => checkWebhook(input, rulesThatAsk())), faults));
  }

  it("has its URL looked up only if all else is valid", async () => {
    const asked: string[] = [];
    const url = "https://x.test/";
    await faultsOfAsync(() => checkWebhook({ url, secret: "bad" }, rulesThatAsk(asked)));
    assert.deepEqual(asked, []);
    await checkWebhook({ url, auth: oauth2 }, rulesThatAsk(asked));
    assert.deepEqual(asked, [url, oauth2.tokenUrl]);
  });
});

describe("the purpose of a webhook", () => {
  const cases: [reason: string, webhook: Pick<Webhook, "topics" | "events">, ...faults: string[]][] = [
    ["is a topic", { topics: ["a"] }],
    ["is an event", { topics: [], events: ["delivery.failed"] }],
    ["is missing without both", { topics: [] }, "invalid_request", "topics"],
    ["is missing with empty lists", { topics: [], events: [] }, "invalid_request", "topics"],
  ];
  for (const [reason, webhook, ...faults] of cases) {
    it(reason, () =>
      assert.deepEqual(
        faultsOf(() => checkPurpose(webhook)),
        faults,
      ),
    );
  }
});

describe("a batch", () => {
  const batch = { maxSize: 10 };
  const cases: [reason: string, input: WebhookPatch, ...faults: string[]][] = [
    ["may stand alone", { batch }],
    ["may be structured and without ordering", { batch, ordering: "none", mode: "structured" }],
    ["excludes the ordering by topic", { batch, ordering: "topic" }, "invalid_request", "batch"],
    ["excludes the strict ordering", { batch, ordering: "strict" }, "invalid_request", "batch"],
    ["excludes the binary mode", { batch, mode: "binary" }, "invalid_request", "batch"],
    ["is reported once for two reasons", { batch, ordering: "strict", mode: "binary" }, "invalid_request", "batch"],
    ["excludes nothing once it is removed", { batch: null, ordering: "strict", mode: "binary" }],
    ["excludes nothing where it is absent", { ordering: "topic", mode: "binary" }],
  ];
  for (const [reason, input, ...faults] of cases) {
    it(reason, () =>
      assert.deepEqual(
        faultsOf(() => checkCombination({ url: "https://x.test/", topics: [], ...(input as object) })),
        faults,
      ),
    );
  }
});

describe("a URL template", () => {
  const url = "https://x.test/{topic[1]}";
  const verification = { state: "verified", at: "", origin: "" } as const;
  const cases: [reason: string, input: Partial<Webhook> & { verify?: boolean }, ...faults: string[]][] = [
    ["fits topics with its levels", { topics: ["a/+", "#"] }],
    ["does not fit topics without them", { topics: ["a/+", "a"] }, "invalid_request", "url"],
    ["fits a webhook for events", { topics: [] }],
    ["excludes a batch", { batch: { maxSize: 2, maxWaitMs: 1 } }, "invalid_request", "batch"],
    ["excludes an ownership check", { verify: true }, "invalid_request", "verify"],
    ["excludes a finished ownership check", { verification }, "invalid_request", "verify"],
  ];
  for (const [reason, input, ...faults] of cases) {
    it(reason, () =>
      assert.deepEqual(
        faultsOf(() => checkCombination({ url, topics: ["#"], ...input })),
        faults,
      ),
    );
  }
});

describe("a header Content-Type", () => {
  const [headers, fault] = [{ "content-type": "text/csv" }, "headers.content-type"];
  const cases: [reason: string, input: Partial<Webhook>, ...faults: string[]][] = [
    ["states the type of a transform's results in binary mode", { mode: "binary", transform: "data" }],
    ["does not state that of device data", { mode: "binary" }, "invalid_request", fault],
    ["does not state that of events", { mode: "structured", transform: "data" }, "invalid_request", fault],
    ["does not state that of events by default", { transform: "data" }, "invalid_request", fault],
  ];
  for (const [reason, input, ...faults] of cases) {
    it(reason, () =>
      assert.deepEqual(
        faultsOf(() => checkCombination({ url: "https://x.test/", topics: ["#"], headers, ...input })),
        faults,
      ),
    );
  }
});
