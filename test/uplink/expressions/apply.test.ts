/** The result of a transform as the payload of a delivery. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createPrepare } from "../../../src/uplink/expressions/apply.ts";
import type { DeliveredMessage } from "../../../src/uplink/queue/job.ts";
import { buildRequest } from "../../../src/uplink/request/cloudevent.ts";
import type { Webhook } from "../../../src/webhooks/webhook.ts";

const message = {
  id: "msg_019a3c5e-7b20-7c11-9d54-0f6f1f0f8a11",
  topic: "plant/7",
  payload: Buffer.from("21.5"),
  qos: 1,
  retain: false,
  receivedAt: 0,
  contentType: "text/csv",
} as DeliveredMessage;

/** The body and the type of a call whose transform returns `result`. */
async function sent(result: unknown, webhook: Partial<Webhook>): Promise<[body: string, type: string | undefined]> {
  const data = JSON.stringify(result);
  const expressions = { evaluate: async () => ({ kind: "kept", data }) as const };
  const prepare = createPrepare({ decode: (_webhook, message) => message, expressions, eventSource: "/causeway" });
  const { mode = "binary", headers = {} } = webhook;
  const prepared = await prepare({ id: "wh_1", transform: "x", mode, headers } as Webhook, message);
  assert.ok(prepared.kind === "send");
  const options = { mode, source: "/causeway", webhookHeaders: headers, attempt: 1, now: 0 };
  const request = buildRequest(prepared.message, options);
  return [request.body.toString("utf8"), request.headers["content-type"]];
}

describe("the result of a transform", () => {
  const cases: [reason: string, result: unknown, webhook: Partial<Webhook>, body: string, type: string][] = [
    ["is text, sent as it is", 'a "b"\n', {}, 'a "b"\n', "text/plain; charset=utf-8"],
    ["may be empty text", "", {}, "", "text/plain; charset=utf-8"],
    ["keeps text that looks like JSON", "7", {}, "7", "text/plain; charset=utf-8"],
    ["replaces half of a character", "\ud800", {}, "\ufffd", "text/plain; charset=utf-8"],
    ["is JSON otherwise", { a: ["b"] }, {}, '{"a":["b"]}', "application/json"],
    ["is JSON for null", null, {}, "null", "application/json"],
    [
      "has the type of the webhook",
      "a,b",
      { headers: { "content-TYPE": "text/csv; header=absent" } },
      "a,b",
      "text/csv; header=absent",
    ],
    [
      "has it as JSON too",
      { a: 1 },
      { headers: { "Content-Type": "application/vnd.a+json" } },
      '{"a":1}',
      "application/vnd.a+json",
    ],
  ];
  for (const [reason, result, webhook, body, type] of cases) {
    it(reason, async () => assert.deepEqual(await sent(result, webhook), [body, type]));
  }

  it("is data of an event in structured mode", async () => {
    const [body, type] = await sent("text", { mode: "structured" });
    assert.equal(type, "application/cloudevents+json");
    const { data, datacontenttype } = JSON.parse(body);
    assert.deepEqual([data, datacontenttype], ["text", "application/json"]);
  });
});
