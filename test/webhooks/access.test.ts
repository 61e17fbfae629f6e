/** Which webhooks a caller sees, and which rights it needs. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Caller, ROOT } from "../../src/keys/caller.ts";
import { checkEvents, checkTopics, checkUse, isPause, isVisible, mayReadContent } from "../../src/webhooks/access.ts";
import type { Webhook, WebhookPatch } from "../../src/webhooks/webhook.ts";
import { callerWith, faultsOf, webhookWith } from "./support.ts";

const EVENTS: Webhook["events"] = ["webhook.failing"];

describe("a webhook is visible", () => {
  const cases: [reason: string, caller: Caller, changes: Partial<Webhook>, visible: boolean][] = [
    ["to the first key", ROOT, { topics: ["a/#", "$SYS/#"], events: EVENTS }, true],
    ["to a key that may read its topic", callerWith({ read: ["a/#"] }), { topics: ["a/b"] }, true],
    ["to a key that may read exactly its filter", callerWith({ read: ["a/+"] }), { topics: ["a/+"] }, true],
    ["not if its filter is wider than the right", callerWith({ read: ["a/+"] }), { topics: ["a/#"] }, false],
    ["not if one of two topics may not be read", callerWith({ read: ["a"] }), { topics: ["a", "b"] }, false],
    ["not to a key that may read nothing", callerWith({ read: [] }), { topics: ["a"] }, false],
    ["without topics and events, to any key", callerWith({ read: [] }), { topics: [] }, true],
    [
      "with an empty list of events, by its topics alone",
      callerWith({ read: ["a"] }),
      { topics: ["a"], events: [] },
      true,
    ],
    [
      "with events, only to a key that may read everything",
      callerWith({ read: ["a"] }),
      { topics: ["a"], events: EVENTS },
      false,
    ],
    ["with events, not to a key for one level", callerWith({ read: ["+"] }), { topics: ["a"], events: EVENTS }, false],
    ["with events, to a key with #", callerWith({ read: ["#"] }), { topics: [], events: EVENTS }, true],
  ];
  for (const [reason, caller, changes, visible] of cases) {
    it(reason, () => assert.equal(isVisible(webhookWith(changes), caller), visible));
  }
});

describe("the content of a delivery", () => {
  const cases: [reason: string, read: string[], topic: string, type: string, readable: boolean][] = [
    ["is readable with its topic", ["a/#"], "a/b", "mqtt.message", true],
    ["is not readable on another topic, whatever topics the webhook has now", ["a/#"], "b", "mqtt.message", false],
    ["is not readable on a reserved topic with #", ["#"], "$SYS/x", "mqtt.message", false],
    ["of a test event is readable by every key that sees the webhook", [], "causeway/test", "webhook.test", true],
    ["of an event about webhooks requires #", ["a/#"], "wh_2", "delivery.failed", false],
    ["of an event about webhooks is readable with #", ["#"], "wh_2", "delivery.failed", true],
  ];
  for (const [reason, read, topic, type, readable] of cases) {
    it(reason, () => assert.equal(mayReadContent({ topic, type }, callerWith({ read })), readable));
  }
});

describe("the use of a webhook", () => {
  const cases: [reason: string, caller: Caller, changes: Partial<Webhook>, ...faults: string[]][] = [
    ["is allowed to a key that sees it", callerWith({ read: ["a/#"], publish: [] }), {}],
    ["hides a webhook of other topics", callerWith({ read: ["b"] }), {}, "not_found"],
    [
      "hides it also where the replies are forbidden",
      callerWith({ read: [], publish: [] }),
      { replyTopic: "r" },
      "not_found",
    ],
    [
      "requires the right to publish its replies",
      callerWith({ publish: ["s"] }),
      { replyTopic: "r" },
      ...["forbidden_topic", "replyTopic"],
    ],
    ["is allowed with that right", callerWith({ publish: ["r"] }), { replyTopic: "r" }],
  ];
  for (const [reason, caller, changes, ...faults] of cases) {
    it(reason, () =>
      assert.deepEqual(
        faultsOf(() => checkUse(webhookWith(changes), caller)),
        faults,
      ),
    );
  }
});

describe("a change is a pause", () => {
  const cases: [reason: string, input: WebhookPatch, pause: boolean][] = [
    ["if it only disables", { enabled: false }, true],
    ["but not if it enables", { enabled: true }, false],
    ["but not if it is empty", {}, false],
    ["but not if it changes another field, too", { enabled: false, name: "x" }, false],
    ["but not if it removes another field, too", { enabled: false, filter: null }, false],
  ];
  for (const [reason, input, pause] of cases) it(reason, () => assert.equal(isPause(input), pause));
});

describe("topics of a registration", () => {
  const caller = callerWith({ read: ["a/#"] });
  const cases: [reason: string, topics: string[], ...faults: string[]][] = [
    ["may be absent", []],
    ["may all be readable", ["a", "a/b", "a/+/c", "a/#"]],
    ["are refused at the first one", ["b", "a"], "forbidden_topic", "topics[0]"],
    ["are refused at the last one", ["a", "a/b", "a/../#", "#"], "forbidden_topic", "topics[3]"],
    ["are refused with the first of several", ["a", "c", "b"], "forbidden_topic", "topics[1]"],
    ["are refused where a wildcard exceeds the right", ["+/b"], "forbidden_topic", "topics[0]"],
  ];
  for (const [reason, topics, ...faults] of cases) {
    it(reason, () =>
      assert.deepEqual(
        faultsOf(() => checkTopics(caller, topics)),
        faults,
      ),
    );
  }
});

describe("events of a registration", () => {
  const cases: [reason: string, read: string[], events: Webhook["events"] | null, ...faults: string[]][] = [
    ["may be absent", [], undefined],
    ["may be removed by a key without rights", [], null],
    ["may be empty", [], []],
    ["require the right to read everything", ["a/#", "b/#"], EVENTS, "forbidden_topic", "events"],
    ["are refused with the right to one level", ["+"], EVENTS, "forbidden_topic", "events"],
    ["are allowed with #", ["#"], EVENTS],
  ];
  for (const [reason, read, events, ...faults] of cases) {
    it(reason, () =>
      assert.deepEqual(
        faultsOf(() => checkEvents(callerWith({ read }), events)),
        faults,
      ),
    );
  }
});
