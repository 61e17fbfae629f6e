/** The pure parts of the live page. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { CloudEvent } from "causeway-mqtt/client";
import { followedBy } from "../../dashboard/src/pages/live/follow.ts";
import { exampleTopic, leadOf } from "../../dashboard/src/pages/live/lead.ts";
import { formatLiveQuery, parseLiveQuery } from "../../dashboard/src/pages/live/live-query.ts";
import { leavesOf } from "../../dashboard/src/pages/live/raw-json.ts";
import { LiveTail, MAX_HISTORY, MAX_MESSAGES } from "../../dashboard/src/pages/live/tail.ts";
import {
  filterError,
  formatFilters,
  matches,
  parseFilters,
  publishTopicError,
} from "../../dashboard/src/pages/live/topic-filters.ts";
import { isInBranch, TopicTree } from "../../dashboard/src/pages/live/topic-tree.ts";
import { changesBetween, numberAt, numberPaths, spread } from "../../dashboard/src/pages/live/values.ts";
import * as rules from "../../src/topic.ts";
import fc from "../support/property.ts";

const level = fc.oneof(fc.constantFrom("", "+", "#", "a", "b", "$SYS", "$share", "a+", "#b", "\u0001"), fc.string());
const topicLike = fc.array(level, { maxLength: 5 }).map((levels) => levels.join("/"));

describe("topics and filters as they are typed", () => {
  it("are judged as the bridge does, in the same words", () => {
    fc.assert(
      fc.property(topicLike, (text) => {
        assert.equal(filterError(text), rules.topicFilterError(text));
        assert.equal(publishTopicError(text), rules.publishTopicError(text));
      }),
    );
    for (const text of ["a/".repeat(100), "x".repeat(65_536), "\ud800"]) {
      assert.equal(filterError(text), rules.topicFilterError(text));
    }
  });

  it("match as in the bridge", () => {
    fc.assert(
      fc.property(topicLike, topicLike, (filter, topic) => {
        if (rules.topicFilterError(filter) || rules.topicNameError(topic)) return;
        assert.equal(matches(filter, topic), rules.matches(filter, topic), `${filter} on ${topic}`);
      }),
    );
    assert.ok(matches("a/#", "a"));
  });

  it("are separated by commas", () => {
    assert.deepEqual(parseFilters(" a/#, b/+ ,,a/#"), ["a/#", "b/+"]);
    assert.equal(formatFilters(["a/#", "b/+"]), "a/#, b/+");
  });
});

describe("the address of the live page", () => {
  it("keeps its state", () => {
    const query = {
      topics: ["a,b/#", "c"],
      tab: "retained",
      branch: "",
      panel: "ask",
      to: "x y",
    } as const;
    assert.deepEqual(parseLiveQuery(formatLiveQuery({ ...query, topics: [...query.topics] })), query);
  });

  it("has no query when the page is first opened", () => {
    assert.equal(formatLiveQuery(parseLiveQuery("?tab=unknown&panel=")), "");
  });
});

describe("the first line", () => {
  const figures = { rate: 1_240, filters: ["devices/#"], branch: undefined, shown: 500, total: 9_000 };
  for (const [name, change, line] of [
    ["many", {}, "1,240 msg/s on devices/#, showing the last 500"],
    ["few", { rate: 0.42, shown: 12, total: 12 }, "0.4 msg/s on devices/#, showing all 12"],
    [
      "a branch",
      { branch: "devices/pi-7", shown: 1 },
      "1,240 msg/s on devices/#, showing 1 message below devices/pi-7",
    ],
    ["none", { rate: 0, total: 0, shown: 0 }, "0 msg/s on devices/#, no message yet"],
  ] as const) {
    it(`says the rate and what is shown: ${name}`, () => assert.equal(leadOf({ ...figures, ...change }), line));
  }

  it("has a topic to try a filter with", () => {
    assert.equal(exampleTopic("#"), "demo/hello");
    assert.ok(matches("devices/+/x/#", exampleTopic("devices/+/x/#")));
  });
});

describe("the topic tree", () => {
  it("counts every message once at each level", () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.constantFrom("a", "b", ""), { minLength: 1, maxLength: 4 })), (topics) => {
        const tree = new TopicTree();
        for (const levels of topics) tree.add(levels.join("/"), "1");
        assert.equal(tree.root.count, topics.length);
        for (const row of tree.rows(new Set())) {
          const expected = topics.filter((levels) => isInBranch(levels.join("/"), row.path)).length;
          assert.equal(row.count, expected, row.path);
        }
      }),
    );
  });

  it("is bounded, and says how many messages it leaves out", () => {
    const tree = new TopicTree(3);
    for (const topic of ["a/1", "a/2", "a/3", "b", "a/1"]) tree.add(topic, "x");
    assert.equal(tree.size, 3);
    assert.equal(tree.leftOut, 2);
    assert.deepEqual(
      tree.rows(new Set()).map(({ path, count }) => [path, count]),
      [
        ["a", 4],
        ["a/1", 2],
        ["a/2", 1],
      ],
    );
  });

  it("has the last value of a topic, and steady rates", () => {
    const tree = new TopicTree();
    for (let i = 0; i < 10; i++) tree.add("a/b", String(i));
    tree.tick(1);
    const [a, b] = tree.rows(new Set());
    assert.deepEqual([a!.last, b!.last, a!.rate], [undefined, "9", 10]);
    for (let i = 0; i < 20; i++) tree.tick(1);
    assert.equal(b!.rate, 0);
  });

  it("folds what the reader folded, and nodes with many children", () => {
    const tree = new TopicTree();
    for (let i = 0; i < 30; i++) tree.add(`many/${i}`, "");
    tree.add("few/1", "");
    assert.deepEqual(
      tree.rows(new Set()).map(({ path }) => path),
      ["few", "few/1", "many"],
    );
    const rows = tree.rows(new Set(["few", "many"])).map(({ path }) => path);
    assert.equal(rows.length, 2 + 30);
    assert.equal(rows[3], "many/1", "numbers sort as numbers");
  });
});

function newTail(): { tail: LiveTail; changes: () => number; pass(ms: number): void } {
  let [now, changes] = [1_000, 0];
  const tail = new LiveTail({
    textOf: (event) => String(event.data),
    onChange: () => changes++,
    now: () => now,
  });
  return {
    tail,
    changes: () => changes,
    pass: (ms) => {
      now += ms;
    },
  };
}

function event(subject: string, data: string): CloudEvent {
  return {
    specversion: "1.0",
    id: "msg_1",
    source: "/",
    type: "mqtt.message",
    subject,
    time: "2026-03-01T12:00:00.000Z",
    data,
    mqttqos: 0,
    mqttretain: false,
  };
}

describe("the tail", () => {
  it("keeps the last messages, and counts all", () => {
    const { tail } = newTail();
    for (let i = 1; i <= 10_000; i++) tail.add(event("a", String(i)));
    assert.equal(tail.total, 10_000);
    assert.ok(tail.messages.length >= MAX_MESSAGES && tail.messages.length < 2 * MAX_MESSAGES);
    assert.equal(tail.messages.at(-1)!.preview, "10000");
  });

  it("is bounded by the size of the payloads, too", () => {
    const { tail } = newTail();
    tail.watch("a");
    const large = "x".repeat(262_144);
    for (let i = 0; i < 200; i++) tail.add(event("a", large));
    const kept = tail.messages.reduce((sum, { length }) => sum + length, 0);
    assert.ok(kept <= 8_500_000, `${kept} characters`);
    const remembered = tail.history.reduce((sum, { length }) => sum + length, 0);
    assert.ok(remembered <= 8_500_000, `${remembered} characters`);
    assert.ok(tail.history.length > 1);
    assert.equal(tail.messages[0]!.preview.length, 201);
  });

  it("counts what a pause skips, and the tree goes on", () => {
    const { tail } = newTail();
    tail.add(event("a", "1"));
    tail.setPaused(true);
    tail.add(event("a", "2"));
    tail.add(event("b", "3"));
    assert.deepEqual([tail.skipped, tail.total, tail.messages.length, tail.tree.root.count], [2, 3, 1, 3]);
    tail.setPaused(false);
    tail.add(event("a", "4"));
    assert.deepEqual([tail.skipped, tail.messages.length], [0, 2]);
  });

  it("restricts the list to a branch, not the counts", () => {
    const { tail } = newTail();
    for (const topic of ["a", "a/b", "ab", "c"]) tail.add(event(topic, ""));
    tail.setBranch("a");
    assert.deepEqual(
      tail.messages.map(({ topic }) => topic),
      ["a", "a/b"],
    );
    for (const topic of ["a/c", "d"]) tail.add(event(topic, ""));
    assert.deepEqual([tail.messages.length, tail.total], [3, 6]);
    tail.setBranch(undefined);
    tail.add(event("d", ""));
    assert.equal(tail.messages.length, 4);
  });

  it("remembers the last values of the watched topic, also during a pause", () => {
    const { tail } = newTail();
    for (let i = 0; i < 5; i++) tail.add(event("a", String(i)));
    tail.watch("a");
    tail.setPaused(true);
    for (let i = 5; i < 1_000; i++) tail.add(event("a", String(i)));
    tail.add(event("b", "other"));
    assert.equal(tail.history.at(-1)!.preview, "999");
    assert.ok(tail.history.length < 2 * MAX_HISTORY);
    tail.watch("b");
    assert.deepEqual(tail.history, []);
  });

  it("says how long the connection was away", () => {
    const { tail, pass } = newTail();
    tail.opened();
    assert.equal(tail.away, undefined);
    pass(1_000);
    tail.lost();
    pass(500);
    tail.lost();
    pass(11_500);
    assert.deepEqual(tail.connection, { state: "lost", since: 2_000 });
    tail.opened();
    assert.deepEqual([tail.connection.state, tail.away], ["live", { from: 2_000, ms: 12_000 }]);
  });

  it("has the rate of the last seconds", () => {
    const { tail, pass } = newTail();
    for (let second = 0; second < 5; second++) {
      for (let i = 0; i < 100; i++) tail.add(event("a", ""));
      pass(1_000);
      tail.tick();
    }
    assert.equal(tail.rate, 100);
  });

  it("forgets everything when it is cleared", () => {
    const { tail, changes, pass } = newTail();
    tail.watch("a");
    tail.add(event("a", "1"));
    const before = changes();
    tail.clear();
    assert.deepEqual([tail.total, tail.messages.length, tail.history.length, tail.tree.size], [0, 0, 0, 0]);
    assert.ok(changes() > before);
    pass(1_000);
    tail.tick();
    assert.equal(tail.rate, 0);
  });

  it("shows a payload as one line", () => {
    const { tail } = newTail();
    tail.add(event("a", "two\r\nlines\u0000and NUL"));
    assert.equal(tail.messages[0]!.preview, "two lines and NUL");
  });
});

describe("JSON read in place", () => {
  it("has each value as it was sent", () => {
    const text = '{ "a" : 21.50, "b":[1e3, "x\\"y", {}, [ ]], "c d": {"n":12345678901234567890}, "t":true }';
    assert.deepEqual(leavesOf(text), [
      { path: "a", raw: "21.50" },
      { path: "b[0]", raw: "1e3" },
      { path: "b[1]", raw: '"x\\"y"' },
      { path: "b[2]", raw: "{}" },
      { path: "b[3]", raw: "[ ]" },
      { path: '["c d"].n', raw: "12345678901234567890" },
      { path: "t", raw: "true" },
    ]);
    assert.deepEqual(leavesOf(" 1.0 "), [{ path: "", raw: "1.0" }]);
    assert.equal(leavesOf("{"), undefined);
  });

  it("finds every value of any document", () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom(0, 2), (compact, indent) => {
        const text = JSON.stringify(JSON.parse(compact), null, indent);
        const scalars: unknown[] = [];
        JSON.parse(text, (_key, value: unknown) => {
          if (typeof value !== "object" || value === null || Object.keys(value).length === 0) scalars.push(value);
          return value;
        });
        assert.deepEqual(
          leavesOf(text)!.map(({ raw }) => JSON.parse(raw)),
          scalars,
        );
      }),
    );
  });
});

describe("the values of a topic", () => {
  it("differ by member, in the texts that were sent", () => {
    assert.deepEqual(changesBetween('{"a":21.50,"b":1,"c":2}', '{"a":21.5,"c":2,"d":null}'), [
      { path: "a", before: "21.50", after: "21.5" },
      { path: "d", after: "null" },
      { path: "b", before: "1" },
    ]);
    assert.deepEqual(changesBetween("on", "off"), [{ path: "", before: "on", after: "off" }]);
    assert.deepEqual(changesBetween("on", "on"), []);
  });

  it("become a line of numbers", () => {
    const texts = ['{"t":21.5,"s":"x"}', '{"s":"y"}', "no JSON", '{"t":22,"s":"z"}'];
    assert.deepEqual(numberPaths(texts[0]!), ["t"]);
    assert.deepEqual(
      texts.map((text) => numberAt(text, "t")),
      [21.5, undefined, undefined, 22],
    );
    assert.deepEqual(numberPaths("-1.5e3"), [""]);
    assert.deepEqual(spread([20, 21, 20.5]), [0, 100, 50]);
    assert.deepEqual(spread([3, 3]), [50, 50]);
  });
});

describe("following a live message", () => {
  const at = Date.parse("2026-03-01T12:00:00.000Z");
  const delivery = (messageId: string, webhookId: string, ms: number) => ({
    messageId,
    webhookId,
    receivedAt: new Date(at + ms).toISOString(),
  });
  it("finds the nearest copy: each webhook may have its own", () => {
    assert.equal(followedBy([delivery("m", "a", 9), delivery("n", "b", 3), delivery("far", "a", 400)], at), "n");
  });
  it("names none if it could be another message", () => {
    assert.equal(followedBy([delivery("m", "a", 3), delivery("n", "a", 200)], at), undefined);
    assert.equal(followedBy([], at), undefined);
  });
});
