import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Webhook } from "causeway-mqtt/client";
import {
  DEFAULT_SCHEDULE,
  draftOf,
  EMPTY,
  inputOf,
  localErrors,
  patchOf,
  previewInputOf,
} from "../../dashboard/src/pages/webhooks/form/draft.ts";
import { formatSchedule, parseSchedule } from "../../dashboard/src/pages/webhooks/form/schedule.ts";
import { errorFor, sentenceOf } from "../../dashboard/src/pages/webhooks/form/sentence.ts";
import { matches } from "../../dashboard/src/pages/webhooks/form/topic-filter.ts";
import fc from "../support/property.ts";

const WEBHOOK: Webhook = {
  id: "wh_1",
  type: "push",
  url: "https://example.com/hook",
  method: "PUT",
  topics: ["a/+", "b/#"],
  name: "Readings",
  enabled: true,
  qos: 2,
  mode: "structured",
  headers: { "X-Site": "Berlin", "X-Api-Key": "********" },
  concurrency: 4,
  timeoutMs: 15_000,
  retry: { scheduleSeconds: [5, 300] },
  retained: "skip",
  payloadFormat: "cbor",
  ordering: "none",
  events: [],
  filter: "data.a > 1",
  auth: { type: "basic", username: "u" },
  rateLimit: { max: 3, perSeconds: 1 },
  batch: { maxSize: 10, maxWaitMs: 500 },
  state: "active",
  counts: { pending: 0, active: 0, retrying: 0, succeeded: 0, failed: 0, discarded: 0 },
  createdAt: "2026-11-27T14:02:03.120Z",
  updatedAt: "2026-11-27T14:02:03.120Z",
};

describe("form of a webhook", () => {
  it("registers only what differs from the defaults", () => {
    const draft = { ...EMPTY, url: " https://example.com/ ", topics: "a/+\n\n b\n" };
    assert.deepEqual(inputOf(draft), { url: "https://example.com/", topics: ["a/+", " b"] });
    assert.deepEqual(inputOf({ ...draft, batchSize: "5", headers: "X-A: b: c\nX-D:e", retained: true }), {
      url: "https://example.com/",
      topics: ["a/+", " b"],
      headers: { "X-A": "b: c", "X-D": "e" },
      batch: { maxSize: 5, maxWaitMs: 1_000 },
      retained: "deliver",
    });
  });

  it("sends no setting of calls for a pull webhook", () => {
    const typed = { url: "https://example.com", headers: "X-A: b", concurrency: "4", secret: "whsec_x", verify: true };
    const draft = {
      ...EMPTY,
      ...typed,
      type: "pull" as const,
      topics: "a/+",
      filter: "data.a",
      ordering: "topic" as const,
    };
    assert.deepEqual(inputOf(draft), { type: "pull", topics: ["a/+"], filter: "data.a", ordering: "topic" });
    const { url: _, auth: _auth, ...fields } = WEBHOOK;
    const pulled: Webhook = { ...fields, type: "pull" };
    assert.equal(patchOf(pulled, draftOf(pulled)), undefined);
    assert.deepEqual(patchOf(pulled, { ...draftOf(pulled), name: "Other", concurrency: "9" }), { name: "Other" });
    assert.equal(sentenceOf(draft), "Keeps messages that pass the filter on a/+ until a consumer takes them");
  });

  it("patches nothing without a change", () => {
    assert.equal(patchOf(WEBHOOK, draftOf(WEBHOOK)), undefined);
  });

  it("patches the changed fields, and null removes", () => {
    const draft = { ...draftOf(WEBHOOK), filter: " ", rateMax: "", batchSize: "", name: "Other", schedule: "none" };
    assert.deepEqual(patchOf(WEBHOOK, draft), {
      name: "Other",
      filter: null,
      batch: null,
      rateLimit: null,
      retry: { scheduleSeconds: [] },
    });
  });

  it("keeps credentials unless they are set or removed", () => {
    const draft = draftOf(WEBHOOK);
    assert.equal(draft.auth.type, "keep");
    assert.equal(draft.secret, "");
    assert.deepEqual(patchOf(WEBHOOK, { ...draft, auth: { ...draft.auth, type: "none" } }), { auth: null });
    assert.deepEqual(patchOf(WEBHOOK, { ...draft, auth: { ...draft.auth, type: "bearer", token: "t" } }), {
      auth: { type: "bearer", token: "t" },
    });
    const headers = "X-Site: Hamburg\nX-Api-Key: ********";
    assert.deepEqual(patchOf(WEBHOOK, { ...draft, headers }), {
      headers: { "X-Site": "Hamburg", "X-Api-Key": "********" },
    });
  });

  it("previews without what only the bridge knows", () => {
    const { headers, auth } = previewInputOf(draftOf(WEBHOOK));
    assert.deepEqual(headers, { "X-Site": "Berlin" });
    assert.equal(auth, undefined);
  });

  it("names lines that cannot be sent", () => {
    assert.deepEqual(localErrors(EMPTY), {});
    assert.match(localErrors({ ...EMPTY, headers: "X-Site Berlin" }).headers!, /^X-Site Berlin: /);
    assert.ok(localErrors({ ...EMPTY, schedule: "5 weeks" }).retry);
  });

  it("says what it does, and what is missing", () => {
    assert.equal(sentenceOf(EMPTY), "Sends messages on … (no topic yet) to … (no URL yet)");
    const draft = { ...EMPTY, topics: "devices/+/telemetry", url: "https://example.com/" };
    assert.equal(sentenceOf(draft), "Sends messages on devices/+/telemetry to https://example.com/");
    assert.equal(
      sentenceOf({ ...draft, topics: "a\nb\nc\nd\ne", filter: "x", events: ["delivery.failed"] }),
      "Sends messages that pass the filter on a, b, c and 2 more and events of the bridge to https://example.com/",
    );
  });

  it("shows an error at its field, with the part that it concerns", () => {
    const errors = { "topics[1]": "# must stand alone in the last level", "auth.token": "is required", url: "no" };
    assert.equal(errorFor(errors, "topics", { ...EMPTY, topics: "a\nb#" }), "b#: # must stand alone in the last level");
    assert.equal(errorFor(errors, "auth"), "token: is required");
    assert.equal(errorFor(errors, "url"), "no");
    assert.equal(errorFor(errors, "filter"), undefined);
  });
});

describe("retry schedules as text", () => {
  it("reads what it writes", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 604_800 }), { minLength: 1, maxLength: 10 }), (seconds) => {
        const text = formatSchedule(seconds, DEFAULT_SCHEDULE);
        assert.deepEqual(parseSchedule(text, DEFAULT_SCHEDULE), seconds);
      }),
    );
  });

  it("knows units, a single attempt and the default", () => {
    assert.deepEqual(parseSchedule("5, 5min,2 h, 1d", []), [5, 300, 7_200, 86_400]);
    assert.deepEqual(parseSchedule("None", [1]), []);
    assert.equal(formatSchedule([], [1]), "none");
    assert.deepEqual(parseSchedule("", [1]), [1]);
    assert.equal(formatSchedule([1], [1]), "");
    assert.equal(parseSchedule("5,,6", []), undefined);
  });
});

describe("topic filters", () => {
  for (const [filter, topic, expected] of [
    ["a/+/c", "a/b/c", true],
    ["a/+", "a/b/c", false],
    ["a/#", "a", true],
    ["a/#", "a/b/c", true],
    ["#", "a/b", true],
    ["#", "$SYS/a", false],
    ["+/a", "$SYS/a", false],
    ["$SYS/#", "$SYS/a", true],
    ["+", "", true],
    ["a", "a/", false],
    ["a/+", "a/", true],
    ["", "a", false],
  ] as const) {
    it(`${filter} ${expected ? "matches" : "does not match"} ${topic}`, () => {
      assert.equal(matches(filter, topic), expected);
    });
  }
});
