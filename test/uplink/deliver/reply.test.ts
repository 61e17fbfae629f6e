/** Topics to which replies are published, and reply topics that may be registered. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ROOT } from "../../../src/keys/caller.ts";
import type { Message } from "../../../src/message.ts";
import { covers } from "../../../src/topic.ts";
import { replyId, replyOf } from "../../../src/uplink/deliver/reply.ts";
import { checkReplyTopic } from "../../../src/webhooks/reply-topic.ts";

const message: Message = {
  id: "msg_1",
  topic: "devices/a",
  payload: Buffer.from("x"),
  qos: 1,
  retain: false,
  receivedAt: 0,
};
const asked = { ...message, responseTopic: "answers/7", correlationData: Buffer.from("c") };
const answer = { statusCode: 200, durationMs: 1, body: Buffer.from([0, 255]), bodyType: "image/png" };
const reply = (replyTopic: string | undefined, from: Message = message, changes: object = {}, topics = ["devices/+"]) =>
  replyOf({ id: "wh_1", topics, ...(replyTopic !== undefined && { replyTopic }) }, from, { ...answer, ...changes });

describe("replies", () => {
  it("are published to the topic derived from the message's topic", () => {
    const expected = { id: replyId("wh_1", "msg_1"), payload: answer.body, contentType: "image/png" };
    assert.deepEqual(reply("{topic}/reply"), { ...expected, topic: "devices/a/reply" });
    assert.deepEqual(reply("log"), { ...expected, topic: "log" });
    assert.deepEqual(reply("{responseTopic}", asked), {
      ...expected,
      topic: "answers/7",
      correlationData: asked.correlationData,
    });
    assert.match(expected.id, /^msg_[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.notEqual(replyId("wh_2", "msg_1"), expected.id);
  });

  for (const [why, found, expected] of [
    ["no reply topic", reply(undefined), undefined],
    ["an empty answer", reply("log", message, { body: undefined }), undefined],
    ["a failure", reply("log", message, { statusCode: 500 }), undefined],
    ["a redirect", reply("log", message, { statusCode: 302 }), undefined],
    ["an answer that is too long", reply("log", message, { responseTruncated: true }), "incomplete"],
    ["a message that asks for none", reply("{responseTopic}"), "no_response_topic"],
    ["a response topic with a wildcard", reply("{responseTopic}", { ...asked, responseTopic: "a/#" }), "invalid_topic"],
    ["a response topic of the webhook", reply("{responseTopic}", asked, {}, ["answers/#"]), "own_topic"],
    [
      "a message of a topic that is no longer the webhook's",
      reply("{topic}/x", message, {}, ["other/+"]),
      "other_topic",
    ],
    ["an event of the bridge", reply("{topic}/x", { ...message, topic: "causeway/test" }), "other_topic"],
    [
      "a topic that grew too long",
      reply("{topic}/x", { ...message, topic: "t".repeat(65_535) }, {}, ["+"]),
      "invalid_topic",
    ],
  ] as const) {
    it(`are not published: ${why}`, () => assert.equal(found, expected));
  }
});

describe("a reply topic", () => {
  const keyFor = (...granted: string[]) => ({
    ...ROOT,
    mayPublishAll: (filter: string) => granted.some((each) => covers(each, filter)),
  });
  const refusal = (replyTopic: string, topics = ["devices/+"], caller: typeof ROOT = ROOT) => {
    const refused = checkReplyTopic({ replyTopic, topics }, caller);
    if (refused) assert.equal(refused.errors?.[0]?.path, "replyTopic");
    return refused?.code;
  };

  for (const [replyTopic, topics, expected] of [
    ["{topic}/reply", ["devices/+"], undefined],
    ["replies/{topic}", ["devices/#"], undefined],
    ["{responseTopic}", ["#"], undefined],
    ["a/+/b", ["devices/+"], "invalid_topic"],
    ["{topic}/#", ["devices/+"], "invalid_topic"],
    ["{responseTopic}/x", ["devices/+"], "invalid_topic"],
    ["{topic}", ["devices/+"], "invalid_request"],
    ["{topic}/reply", ["devices/#"], "invalid_request"],
    ["{topic}-reply", ["devices/+"], "invalid_request"],
    ["replies/{topic}", ["x", "#"], "invalid_request"],
    ["devices/log", ["devices/+"], "invalid_request"],
  ] as const) {
    it(`${replyTopic} for ${topics}: ${expected ?? "allowed"}`, () => {
      assert.equal(refusal(replyTopic, [...topics]), expected);
    });
  }

  for (const [replyTopic, granted, expected] of [
    ["log", "log", undefined],
    ["log", "other", "forbidden_topic"],
    ["{topic}/reply", "devices/+/reply", undefined],
    ["{topic}/reply", "devices/a/reply", "forbidden_topic"],
    ["{topic}/reply", "+", "forbidden_topic"],
    ["{responseTopic}", "#", undefined],
    ["{responseTopic}", "devices/#", "forbidden_topic"],
  ] as const) {
    it(`${replyTopic} with a key that may publish ${granted}: ${expected ?? "allowed"}`, () => {
      assert.equal(refusal(replyTopic, ["devices/+"], keyFor(granted)), expected);
    });
  }
});
