/** Verifies the signature of a webhook call and parses its event, with the libraries that a receiver would use. */
import assert from "node:assert/strict";
import { isUtf8 } from "node:buffer";
import { createHmac } from "node:crypto";
import { type CloudEventV1, HTTP } from "cloudevents";
import { Webhook } from "standardwebhooks";
import type { ReceivedCall } from "./receiver.ts";

/** @throws if the signature is wrong or the call is not a CloudEvent */
export function readEvent(call: ReceivedCall, secret: string): CloudEventV1<unknown> {
  verifySignature(call, secret);
  const headers = Object.fromEntries(Object.entries(call.headers).map(([name, value]) => [name, String(value)]));
  // The SDK parses a body of type application/json only if it is a string.
  const body = /json/.test(headers["content-type"] ?? "") ? call.body.toString("utf8") : call.body;
  const event = HTTP.toEvent({ headers, body });
  assert.ok(!Array.isArray(event), "one event, not a batch");
  assert.equal(event.id, headers["webhook-id"], "the event's id is the message's");
  return event;
}

export function verifySignature({ headers, body }: ReceivedCall, secret: string): void {
  const signed = headers as Record<string, string>;
  if (isUtf8(body)) {
    new Webhook(secret).verify(body, signed, { jsonParse: false });
    return;
  }
  // The library treats every body as text; the specification signs bytes.
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  const content = Buffer.concat([Buffer.from(`${signed["webhook-id"]}.${signed["webhook-timestamp"]}.`), body]);
  assert.equal(signed["webhook-signature"], `v1,${createHmac("sha256", key).update(content).digest("base64")}`);
}
