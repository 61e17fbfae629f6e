/** The forms that publish and ask, and the form of a key. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  curlLine,
  type KeyFields,
  keyErrors,
  keysLead,
  limitWords,
  NEW_KEY,
  toKey,
} from "../../dashboard/src/pages/keys/key-form.ts";
import {
  errorsOf,
  NEW_ASK,
  NEW_PUBLISH,
  parseHex,
  parseProperties,
  sendAtProblem,
  timeoutProblem,
  toHex,
  toMessage,
  toRequest,
} from "../../dashboard/src/pages/live/console/message-form.ts";
import { askedWords, publishedWords } from "../../dashboard/src/pages/live/console/outcomes.ts";
import { base64Of, editableOf } from "../../dashboard/src/pages/live/retained-content.ts";
import fc from "../support/property.ts";

describe("the form that publishes", () => {
  it("sends the text of JSON as it stands", () => {
    const message = toMessage({ ...NEW_PUBLISH, topic: "a/b", payload: '{ "v": 21.50 }', retain: true });
    assert.deepEqual(message, { topic: "a/b", qos: 1, payload: '{ "v": 21.50 }', retain: true });
  });

  it("sends bytes, properties and a time", () => {
    const message = toMessage({
      ...NEW_PUBLISH,
      topic: "a",
      format: "hex",
      payload: "00 FF",
      qos: 2,
      contentType: "image/png",
      responseTopic: "r",
      correlationData: "AQI=",
      userProperties: "part=1\npart = of=9\n",
      expirySeconds: "60",
      when: "scheduled",
      sendAt: "2026-03-01T12:00:00Z",
    });
    assert.deepEqual(message, {
      topic: "a",
      qos: 2,
      payloadBase64: "AP8=",
      contentType: "image/png",
      responseTopic: "r",
      correlationData: "AQI=",
      userProperties: { part: ["1", "of=9"] },
      retain: false,
      expirySeconds: 60,
      sendAt: "2026-03-01T12:00:00.000Z",
    });
  });

  for (const [name, change, field, words] of [
    ["wildcards", { topic: "a/+" }, "topic", "must not contain the wildcards + and #"],
    ["a foreign topic", { topic: "b" }, "topic", "this key may publish to a/#, c/+"],
    ["broken JSON", { payload: "{" }, "payload", "is not JSON: send it as text, or mend it"],
    ["odd digits", { format: "hex", payload: "0" }, "payload", "must be pairs of hexadecimal digits, such as 00 ff"],
    ["a property without a name", { userProperties: "=x" }, "userProperties", "must be name=value, one a line"],
    ["text for base64", { correlationData: "?" }, "correlationData", "must be base64"],
    ["half a second", { expirySeconds: "0.5" }, "expirySeconds", "must be a whole number of seconds"],
    [
      "a response topic with wildcards",
      { responseTopic: "#" },
      "responseTopic",
      "must not contain the wildcards + and #",
    ],
  ] as const) {
    it(`refuses ${name} at the field`, () => {
      const errors = errorsOf(Object.assign({ ...NEW_PUBLISH, topic: "a/b" }, change), ["a/#", "c/+"]);
      assert.deepEqual(errors, { [field]: words });
    });
  }

  it("refuses a time that is none, or too far", () => {
    const at = (sendAt: string) => sendAtProblem({ ...NEW_PUBLISH, when: "scheduled", sendAt }, 0);
    assert.equal(at(""), "must be a date and a time");
    assert.equal(at("1970-02-02T00:00:00Z"), "must be at most 30 days ahead");
    assert.equal(at("1970-01-02T00:00:00Z"), undefined);
  });

  it("reads and writes hex", () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => assert.deepEqual(parseHex(toHex(bytes)), bytes)));
  });

  it("keeps properties with any name", () => {
    assert.deepEqual(parseProperties("toString=1"), { toString: ["1"] });
    assert.equal(parseProperties(" \n"), undefined);
  });

  it("says the outcome in words", () => {
    assert.equal(
      publishedWords({ outcome: "acknowledged", noMatchingSubscribers: true }),
      "The broker has the message. No client subscribes to its topic.",
    );
    assert.match(publishedWords({ outcome: "queued", noMatchingSubscribers: null }), /^Stored\./);
    assert.match(askedWords({ outcome: "pending" }), /^Stored\./);
  });
});

describe("the form that asks", () => {
  it("waits, or stores the request", () => {
    const fields = { ...NEW_ASK, topic: "a/{requestId}", payload: "1", timeoutSeconds: "2.5", expirySeconds: "60" };
    assert.deepEqual(toRequest({ ...fields, match: "first" }), {
      topic: "a/{requestId}",
      qos: 1,
      payload: "1",
      match: "first",
      timeoutSeconds: 2.5,
    });
    assert.equal(toRequest({ ...fields, when: "stored" }).expirySeconds, 60);
    assert.equal(timeoutProblem({ ...fields, timeoutSeconds: "61" }), "must be 0.1 to 60 seconds");
    assert.equal(timeoutProblem({ ...fields, timeoutSeconds: "" }), "must be 0.1 to 60 seconds");
    assert.equal(timeoutProblem({ ...fields, timeoutSeconds: "61", when: "stored" }), undefined);
  });
});

describe("a retained payload for editing", () => {
  it("is text where a text field changes no byte, and hex elsewhere", () => {
    const bytes = (text: string) => new TextEncoder().encode(text);
    assert.deepEqual(editableOf(bytes('{"v":21.50}\n')), { format: "text", text: '{"v":21.50}\n' });
    assert.deepEqual(editableOf(bytes("a\r\n")), { format: "hex", text: "61 0d 0a" });
    assert.deepEqual(editableOf(bytes("\ufeffa")), { format: "text", text: "\ufeffa" });
    assert.deepEqual(editableOf(Uint8Array.of(0xff)), { format: "hex", text: "ff" });
    assert.equal(base64Of(Uint8Array.of(0, 255)), "AP8=");
  });
});

const KEY: KeyFields = { ...NEW_KEY, name: "site-1", scopes: ["publish", "view"], publish: "{keyName}/+/c", read: "#" };

describe("the form of a key", () => {
  it("sends the filters of its scopes only", () => {
    const now = Date.parse("2026-03-01T00:00:00Z");
    assert.deepEqual(toKey({ ...KEY, max: "100", expiry: "week" }, now), {
      name: "site-1",
      scopes: ["publish", "view"],
      publish: ["{keyName}/+/c"],
      read: ["#"],
      rateLimit: { max: 100, perSeconds: 1 },
      expiresAt: "2026-03-08T00:00:00.000Z",
    });
    assert.deepEqual(toKey({ ...KEY, scopes: ["admin"] }, now), {
      name: "site-1",
      scopes: ["admin"],
      publish: [],
      read: [],
    });
  });

  it("accepts what the bridge accepts", () => assert.deepEqual(keyErrors(KEY, 0), {}));

  for (const [name, change, field, words] of [
    ["no name", { name: " " }, "name", "must have 1 to 100 characters"],
    ["no scope", { scopes: [] }, "scopes", "choose at least one"],
    ["no filter", { read: "\n" }, "read", "without a filter the key may use no topic; # stands for all"],
    ["a wrong filter", { publish: "a\nb/#/c" }, "publish", "b/#/c # must stand alone in the last level"],
    ["a limit of zero", { max: "0" }, "max", "must be 1 to 1,000,000 requests"],
    ["a limit in no time", { max: "1", perSeconds: "" }, "perSeconds", "must be 1 to 86,400 seconds"],
    [
      "an end in the past",
      { expiry: "at", expiresAt: "1969-01-01T00:00" },
      "expiresAt",
      "must be a time in the future",
    ],
  ] as const) {
    it(`refuses ${name} at the field`, () => {
      assert.deepEqual(keyErrors({ ...KEY, ...change }, 0), { [field]: words });
    });
  }

  it("says who may do what in figures", () => {
    const key = (expiresAt: string | null) => ({ expiresAt });
    assert.equal(keysLead([], false, 0), "No key beside the first one.");
    assert.equal(
      keysLead([key(null), key("1970-01-01T00:00:00Z"), key("1970-01-02T00:00:00Z")], false, 1),
      "3 keys beside the first one, 1 expired, 1 expires within 7 days.",
    );
    assert.equal(limitWords({ rateLimit: { max: 5, perSeconds: 10 } }), "5 requests in 10 s");
    assert.equal(limitWords({ rateLimit: { max: 1, perSeconds: 1 } }), "1 request a second");
    assert.equal(limitWords({ rateLimit: null }), "none");
  });

  it("gives a command that a shell takes as it is", () => {
    const line = (scopes: KeyFields["scopes"], filter: string) =>
      curlLine("http://h/", "cw_1", { scopes: [...scopes], publish: [filter], read: [filter] });
    assert.equal(
      line(["publish"], "it's/+"),
      "curl -H 'authorization: Bearer cw_1' -H 'content-type: text/plain' -d 'hello' 'http://h/v1/topics/it%27s/demo'",
    );
    assert.equal(
      line(["read"], "it's/#"),
      "curl -N -H 'authorization: Bearer cw_1' 'http://h/v1/stream?topic=it%27s%2F%23'",
    );
    assert.equal(line(["view"], "#"), "curl -H 'authorization: Bearer cw_1' 'http://h/v1/session'");
  });
});
