/** Reply topics at registration: valid, no loop, and only where the caller may publish. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MAX_TOPIC_LEVELS } from "../../src/topic.ts";
import { checkReplyTopic, checkResponseTopic } from "../../src/webhooks/reply-topic.ts";
import type { Webhook } from "../../src/webhooks/webhook.ts";
import { callerWith, faultsOf } from "./support.ts";

const levels = (count: number) => Array(count).fill("a").join("/");

interface Case {
  topics: string[];
  replyTopic?: string;
  /** Filters that the caller may publish to; absent: everything. */
  publish?: string[];
}

describe("a reply topic", () => {
  const cases: [reason: string, registration: Case, ...faults: string[]][] = [
    ["may be absent, whatever the rights", { topics: ["#"], publish: [] }],
    ["may be a fixed topic", { topics: ["t/#"], replyTopic: "replies" }],
    ["may add a level to the topic", { topics: ["t/+"], replyTopic: "{topic}/reply" }],
    ["may put levels before the topic", { topics: ["t/#"], replyTopic: "replies/{topic}" }],
    ["may be the response topic", { topics: ["t/#"], replyTopic: "{responseTopic}" }],

    ["must not be empty", { topics: ["t"], replyTopic: "" }, "invalid_topic", "replyTopic"],
    ["must not have a wildcard", { topics: ["t"], replyTopic: "r/+" }, "invalid_topic", "replyTopic"],
    ["must not belong to the broker", { topics: ["t"], replyTopic: "$SYS/r" }, "invalid_topic", "replyTopic"],
    [
      "must not extend the response topic",
      { topics: ["t"], replyTopic: "{responseTopic}/x" },
      "invalid_topic",
      "replyTopic",
    ],
    [
      "must not repeat the response topic",
      { topics: ["t"], replyTopic: "{responseTopic}{responseTopic}" },
      "invalid_topic",
      "replyTopic",
    ],
    ["may have the most levels", { topics: [levels(MAX_TOPIC_LEVELS - 1)], replyTopic: "{topic}/r" }],
    [
      "must not get too deep with the topic",
      { topics: ["t", levels(MAX_TOPIC_LEVELS)], replyTopic: "{topic}/r" },
      "invalid_topic",
      "replyTopic",
    ],
    [
      "must not get too deep with the topic twice",
      { topics: [levels(MAX_TOPIC_LEVELS / 2)], replyTopic: "{topic}/{topic}/r" },
      "invalid_topic",
      "replyTopic",
    ],
    [
      "leaves a filter that is too deep to its own field",
      { topics: [levels(MAX_TOPIC_LEVELS + 1)], replyTopic: "{topic}/r" },
    ],
    ["leaves an invalid filter to its own field", { topics: ["t+/u"], replyTopic: "{topic}/r" }],

    ["must not be the message's own topic", { topics: ["t"], replyTopic: "{topic}" }, "invalid_request", "replyTopic"],
    ["must not be under the topics", { topics: ["t/#"], replyTopic: "t/reply" }, "invalid_request", "replyTopic"],
    [
      "must not be under any topics at all",
      { topics: ["#"], replyTopic: "replies/{topic}" },
      "invalid_request",
      "replyTopic",
    ],
    [
      "must not be under another one of the topics",
      { topics: ["t/+", "t/+/+"], replyTopic: "{topic}/r" },
      "invalid_request",
      "replyTopic",
    ],
    [
      "must not stay on the level of a wildcard",
      { topics: ["t/+"], replyTopic: "{topic}-reply" },
      "invalid_request",
      "replyTopic",
    ],
    ["may leave the level of a name", { topics: ["t/u"], replyTopic: "{topic}-reply" }],

    [
      "requires the right to publish to it",
      { topics: ["t"], replyTopic: "r", publish: ["s"] },
      "forbidden_topic",
      "replyTopic",
    ],
    ["is allowed with exactly that right", { topics: ["t"], replyTopic: "r", publish: ["r"] }],
    [
      "requires the right for each topic",
      { topics: ["t", "u"], replyTopic: "{topic}/r", publish: ["t/r"] },
      "forbidden_topic",
      "replyTopic",
    ],
    ["is allowed with the right for each", { topics: ["t", "u"], replyTopic: "{topic}/r", publish: ["t/r", "u/r"] }],
    [
      "requires the right for all that a wildcard matches",
      { topics: ["t/+"], replyTopic: "{topic}/r", publish: ["t/1/r"] },
      "forbidden_topic",
      "replyTopic",
    ],
    [
      "requires it for all levels of #",
      { topics: ["t/#"], replyTopic: "r/{topic}", publish: ["r/t/+"] },
      "forbidden_topic",
      "replyTopic",
    ],
    ["is allowed with the right for all levels", { topics: ["t/#"], replyTopic: "r/{topic}", publish: ["r/t/#"] }],
    [
      "requires the right to everything for response topics",
      { topics: ["t"], replyTopic: "{responseTopic}", publish: ["a/#"] },
      "forbidden_topic",
      "replyTopic",
    ],
    ["is allowed for response topics with #", { topics: ["t"], replyTopic: "{responseTopic}", publish: ["#"] }],
    ["takes $& in a topic literally", { topics: ["t/$&"], replyTopic: "r/{topic}", publish: ["r/t/$&"] }],
  ];
  for (const [reason, { publish, ...registration }, ...faults] of cases) {
    it(reason, () => {
      const caller = callerWith(publish ? { publish } : {});
      assert.deepEqual(
        faultsOf(() => checkReplyTopic(registration, caller)),
        faults,
      );
    });
  }
});

describe("the response topic of a publish", () => {
  type Replying = Pick<Webhook, "replyTopic" | "topics">;
  const there: Replying = { topics: ["ask/+"], replyTopic: "{responseTopic}" };
  const cases: [
    reason: string,
    publish: string[],
    responseTopic: string | undefined,
    hooks: Replying[],
    ...faults: string[],
  ][] = [
    ["may be absent", [], undefined, [there]],
    ["is the device's affair without a webhook", [], "r", []],
    ["is the device's affair where no webhook replies there", [], "r", [{ topics: ["ask/+"], replyTopic: "x" }]],
    ["is the device's affair where the webhook has no replies", [], "r", [{ topics: ["ask/+"] }]],
    ["is the device's affair where the webhook has other topics", [], "r", [{ ...there, topics: ["ask"] }]],
    ["requires the right where a webhook replies", ["s"], "r", [there], "forbidden_topic", "responseTopic"],
    ["requires it for one of several", [], "r", [{ topics: ["ask/1"] }, there], "forbidden_topic", "responseTopic"],
    ["is allowed with the right", ["r"], "r", [there]],
  ];
  for (const [reason, publish, responseTopic, hooks, ...faults] of cases) {
    it(reason, () => {
      const message = { topic: "ask/1", ...(responseTopic !== undefined && { responseTopic }) };
      assert.deepEqual(
        faultsOf(() => checkResponseTopic(message, () => hooks, callerWith({ publish }))),
        faults,
      );
    });
  }

  it("needs no look at the webhooks with the right", () => {
    const fail = () => assert.fail("read");
    checkResponseTopic({ topic: "ask/1", responseTopic: "r" }, fail, callerWith({ publish: ["r"] }));
    checkResponseTopic({ topic: "ask/1" }, fail, callerWith({ publish: [] }));
  });
});
