import assert from "node:assert/strict";
import { it } from "node:test";
import type { OutgoingMessage, PublishResult } from "../../../src/downlink/publish.ts";
import { newId } from "../../../src/message.ts";
import { KnownRefusals } from "../../../src/mqtt/client/known-refusals.ts";

const message = (topic: string, payload = "x"): OutgoingMessage => ({
  id: newId("msg"),
  topic,
  payload: Buffer.from(payload),
  qos: 1,
  retain: false,
});
const refusal: PublishResult = { kind: "refused", reasonCode: 0x87, reason: "not authorized" };

it("an identical message is refused, and one that differs in a field that brokers check is not", () => {
  const known = new KnownRefusals();
  assert.equal(known.find(message("a")), undefined);
  known.add(message("a"), refusal);
  assert.equal(known.find(message("a")), refusal);
  assert.equal(known.find(message("a", "y")), refusal, "only the length of the payload counts");
  assert.equal(known.find(message("a", "longer")), undefined);
  assert.equal(known.find({ ...message("a"), retain: true }), undefined);
});

it("the hundred messages refused last are kept", () => {
  const known = new KnownRefusals();
  for (let i = 0; i <= 100; i++) known.add(message(String(i)), refusal);
  assert.equal(known.find(message("0")), undefined);
  assert.equal(known.find(message("1")), refusal);
  assert.equal(known.find(message("100")), refusal);
});
