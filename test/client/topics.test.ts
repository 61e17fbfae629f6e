import assert from "node:assert/strict";
import { it } from "node:test";
import { RetainedMessage } from "../../src/client/topics.ts";

it("a retained message has its user properties, decoded", () => {
  const headers = new Headers({ "mqtt-qos": "2", etag: '"x"', "content-type": "text/plain" });
  // fetch joins repeated headers.
  for (const property of ["a%20b=1%2C%202", "c=%3D", "a%20b=%C3%BC"]) headers.append("mqtt-user-property", property);
  const message = new RetainedMessage("t", new TextEncoder().encode("[1]"), headers);
  assert.deepEqual(message.userProperties, { "a b": ["1, 2", "ü"], c: ["="] });
  assert.deepEqual([message.qos, message.etag, message.contentType, message.json()], [2, '"x"', "text/plain", [1]]);
});
