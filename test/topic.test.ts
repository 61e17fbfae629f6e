import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  covers,
  MAX_TOPIC_LEVELS,
  matches,
  mqttStringError,
  overlaps,
  publishTopicError,
  topicFilterError,
  topicNameError,
} from "../src/topic.ts";
import { matcher } from "../src/topic-index.ts";
import fc, { codePoint } from "./support/property.ts";

/** MQTT 5 section 4.7, in its order; the quoted examples are those of the specification. */
describe("4.7.1.2 multi-level wildcard", () => {
  it("sport/tennis/player1/# matches the level itself and all levels below", () => {
    for (const topic of [
      "sport/tennis/player1",
      "sport/tennis/player1/ranking",
      "sport/tennis/player1/score/wimbledon",
    ]) {
      assert.ok(matches("sport/tennis/player1/#", topic), topic);
    }
    assert.ok(!matches("sport/tennis/player1/#", "sport/tennis/player10"));
    assert.ok(!matches("sport/tennis/player1/#", "sport/tennis"));
  });
  it("sport/# also matches the parent level sport", () => assert.ok(matches("sport/#", "sport")));
  it("# is valid and receives every message", () => {
    assert.equal(topicFilterError("#"), undefined);
    for (const topic of ["a", "/", "a/b", "/a", "a/"]) assert.ok(matches("#", topic), topic);
  });
  it("sport/tennis/# is valid", () => assert.equal(topicFilterError("sport/tennis/#"), undefined));
  it("sport/tennis# is not valid", () => assert.match(topicFilterError("sport/tennis#") ?? "", /#/));
  it("sport/tennis/#/ranking is not valid", () => assert.match(topicFilterError("sport/tennis/#/ranking") ?? "", /#/));
  it("## , #/ and #a are not valid", () => {
    for (const filter of ["##", "#/", "#a", "a/#/", "a/##", "+#", "#+"]) assert.ok(topicFilterError(filter), filter);
  });
});

describe("4.7.1.3 single-level wildcard", () => {
  it("sport/tennis/+ matches one level", () => {
    assert.ok(matches("sport/tennis/+", "sport/tennis/player1"));
    assert.ok(matches("sport/tennis/+", "sport/tennis/player2"));
    assert.ok(!matches("sport/tennis/+", "sport/tennis/player1/ranking"));
    assert.ok(!matches("sport/tennis/+", "sport/tennis"));
  });
  it("sport/+ does not match sport but matches sport/", () => {
    assert.ok(!matches("sport/+", "sport"));
    assert.ok(matches("sport/+", "sport/"));
  });
  it("+ , +/tennis/# and sport/+/player1 are valid", () => {
    for (const filter of ["+", "+/tennis/#", "sport/+/player1", "+/+", "/+", "+/", "+/#"]) {
      assert.equal(topicFilterError(filter), undefined, filter);
    }
    assert.ok(matches("+/tennis/#", "sport/tennis"));
    assert.ok(matches("+/tennis/#", "sport/tennis/a/b"));
    assert.ok(!matches("+/tennis/#", "sport/football"));
    assert.ok(matches("sport/+/player1", "sport/tennis/player1"));
  });
  it("sport+ is not valid", () => {
    for (const filter of ["sport+", "+sport", "a/b+/c", "++", "a/++"])
      assert.match(topicFilterError(filter) ?? "", /\+/, filter);
  });
  it("/finance matches +/+ and /+ but not +", () => {
    assert.ok(matches("+/+", "/finance"));
    assert.ok(matches("/+", "/finance"));
    assert.ok(!matches("+", "/finance"));
  });
});

describe("4.7.2 topics beginning with $", () => {
  it("# matches none of them", () => assert.ok(!matches("#", "$SYS/monitor")));
  it("+/monitor/Clients matches none of them", () => assert.ok(!matches("+/monitor/Clients", "$SYS/monitor/Clients")));
  it("$SYS/# and $SYS/monitor/+ match them", () => {
    assert.ok(matches("$SYS/#", "$SYS/monitor/Clients"));
    assert.ok(matches("$SYS/#", "$SYS"));
    assert.ok(matches("$SYS/monitor/+", "$SYS/monitor/Clients"));
    assert.ok(matches("$SYS/+/Clients", "$SYS/monitor/Clients"));
  });
  it("only the first character of the topic counts", () => {
    assert.ok(!matches("+", "$"));
    assert.ok(!matches("+/#", "$/a"));
    assert.ok(!matches("+/+", "$SYS/a"));
    assert.ok(matches("+/+", "a/$SYS"));
    assert.ok(matches("/#", "/$SYS"));
    assert.ok(matches("+", "a$"));
  });
});

describe("4.7.3 topic semantic and usage", () => {
  it("a topic has at least one character", () => {
    assert.match(topicNameError("") ?? "", /empty/);
    assert.match(topicFilterError("") ?? "", /empty/);
  });
  it("topics are case-sensitive", () => {
    assert.ok(matches("ACCOUNTS", "ACCOUNTS"));
    assert.ok(!matches("ACCOUNTS", "Accounts"));
  });
  it("spaces are ordinary characters", () => {
    assert.equal(topicNameError("Accounts payable"), undefined);
    assert.ok(matches("Accounts payable", "Accounts payable"));
    assert.equal(topicNameError(" "), undefined);
  });
  it("a leading or trailing / makes a different topic", () => {
    assert.ok(!matches("/finance", "finance"));
    assert.ok(!matches("finance/", "finance"));
    assert.ok(!matches("a//b", "a/b"));
    assert.ok(matches("a/+/b", "a//b"));
  });
  it("a topic of / alone is valid", () => {
    assert.equal(topicNameError("/"), undefined);
    assert.ok(matches("/", "/"));
    assert.ok(matches("+/+", "/"));
    assert.ok(!matches("+", "/"));
  });
  it("a topic has no null character", () => {
    assert.match(topicNameError("a\u0000b") ?? "", /null/);
    assert.match(topicFilterError("a/\u0000") ?? "", /null/);
  });
  it("a topic has at most 65,535 bytes of UTF-8", () => {
    for (const error of [topicNameError, topicFilterError]) {
      assert.equal(error("a".repeat(65_535)), undefined);
      assert.match(error("a".repeat(65_536)) ?? "", /65535/);
      assert.equal(error("é".repeat(32_767)), undefined);
      assert.match(error("é".repeat(32_768)) ?? "", /65535/);
      assert.match(error("😀".repeat(16_384)) ?? "", /65535/);
    }
  });
  it("topics are not normalised: é and e + accent are different topics", () => {
    assert.ok(!matches("caf\u00e9", "cafe\u0301"));
  });
  it("topics of messages from devices may have any number of levels", () => {
    const deep = Array(30_000).fill("a").join("/");
    assert.ok(matches("a/#", deep));
    assert.ok(matches(deep, deep));
    assert.ok(overlaps(deep, deep.replaceAll("a", "+")));
    assert.ok(covers(deep.replaceAll("a", "+"), deep));
  });
});

describe("1.5.4 UTF-8 strings", () => {
  it("lone surrogates are refused", () => {
    for (const text of ["\ud800", "a\udfff", "\udc00\ud800"]) {
      assert.match(topicNameError(text) ?? "", /Unicode/);
      assert.match(topicFilterError(text) ?? "", /Unicode/);
    }
    assert.equal(topicNameError("😀"), undefined);
  });
  it("U+FEFF is an ordinary character", () => {
    assert.equal(topicNameError("\ufeffa"), undefined);
    assert.ok(!matches("\ufeffa", "a"));
  });
});

/** Measured with Mosquitto 2.0.11 and Aedes 1.2: see test/mqtt/client/topic-limits.test.ts. */
describe("the rules for which brokers end the connection", () => {
  const rules = { topicNameError, publishTopicError, topicFilterError };
  const levels = (count: number, level = "a") => Array(count).fill(level).join("/");

  it(`topics have at most ${MAX_TOPIC_LEVELS} levels, including empty ones and wildcards`, () => {
    for (const [name, error] of Object.entries(rules)) {
      for (const level of ["a", ""]) {
        assert.equal(error(levels(100, level)), undefined, name);
        for (const count of [101, 128, 129, 200, 201, 202, 30_000])
          assert.match(error(levels(count, level)) ?? "", /100 levels/, `${name} ${count}`);
      }
    }
    assert.equal(topicFilterError(`${levels(99)}/#`), undefined);
    assert.match(topicFilterError(`${levels(100)}/#`) ?? "", /100 levels/);
    assert.equal(topicFilterError(levels(100, "+")), undefined);
    assert.match(topicFilterError(levels(101, "+")) ?? "", /100 levels/);
  });

  const characters: [name: string, character: string, isRefused: boolean][] = [
    ["U+0001", "\u0001", true],
    ["U+0009", "\t", true],
    ["U+000A", "\n", true],
    ["U+001F", "\u001f", true],
    ["U+0020", " ", false],
    ["U+007E", "~", false],
    ["U+007F", "\u007f", true],
    ["U+0080", "\u0080", true],
    ["U+009F", "\u009f", true],
    ["U+00A0", "\u00a0", false],
    ["U+FDCF", "\ufdcf", false],
    ["U+FDD0", "\ufdd0", true],
    ["U+FDEF", "\ufdef", true],
    ["U+FDF0", "\ufdf0", false],
    ["U+FEFF", "\ufeff", false],
    ["U+FFFD", "\ufffd", false],
    ["U+FFFE", "\ufffe", true],
    ["U+FFFF", "\uffff", true],
    ["U+1FFFD", "\u{1fffd}", false],
    ["U+1FFFE", "\u{1fffe}", true],
    ["U+10FFFD", "\u{10fffd}", false],
    ["U+10FFFF", "\u{10ffff}", true],
  ];
  for (const [name, character, isRefused] of characters) {
    it(`${name} is ${isRefused ? "refused" : "an ordinary character"}`, () => {
      for (const error of [...Object.values(rules), mqttStringError]) {
        const wrong = error(`a${character}b`);
        if (isRefused) assert.match(wrong ?? "", new RegExp(`${name.replace("+", "\\+")}$`));
        else assert.equal(wrong, undefined);
      }
    });
  }

  const reserved: [topic: string, publish: boolean, name: boolean, filter: boolean][] = [
    ["$SYS", false, true, true],
    ["$SYS/broker/uptime", false, true, true],
    ["$SYSTEM/x", false, true, true],
    ["$share", false, false, false],
    ["$share/g/a", false, false, false],
    ["$shared/a", false, true, true],
    ["$sys/x", true, true, true],
    ["$aws/things/x", true, true, true],
    ["a/$SYS", true, true, true],
  ];
  for (const [topic, publish, name, filter] of reserved) {
    it(`${topic}: publish ${publish}, read ${name}, subscribe ${filter}`, () => {
      assert.equal(publishTopicError(topic) === undefined, publish);
      assert.equal(topicNameError(topic) === undefined, name);
      assert.equal(topicFilterError(topic) === undefined, filter);
    });
  }
});

describe("the rules that the bridge adds", () => {
  it("a topic name contains no wildcard [MQTT-3.3.2-2]", () => {
    for (const topic of ["+", "#", "a/+/b", "a/#", "a+b", "a#"])
      assert.match(topicNameError(topic) ?? "", /wildcard/, topic);
  });
  it("shared subscriptions are refused", () => {
    for (const filter of ["$share/g/a", "$share", "$share/"])
      assert.match(topicFilterError(filter) ?? "", /shared/, filter);
    assert.equal(topicFilterError("$shared/a"), undefined);
    assert.equal(topicFilterError("a/$share"), undefined);
  });
});

describe("overlaps", () => {
  const table: [a: string, b: string, expected: boolean][] = [
    ["a/b", "a/b", true],
    ["a/b", "a/c", false],
    ["a/+", "+/b", true],
    ["a/#", "a", true],
    ["a/#", "+", true],
    ["a/+", "a", false],
    ["a/b/#", "a/+", true],
    ["a/b/#", "+/c", false],
    ["#", "+/+", true],
    ["#", "$SYS/#", false],
    ["+/x", "$SYS/x", false],
    ["$SYS/#", "$SYS/+", true],
    ["/+", "+/a", true],
    ["/#", "+", false],
    ["+", "+/#", true],
  ];
  for (const [a, b, expected] of table) {
    it(`${a} and ${b}: ${expected}`, () => {
      assert.equal(overlaps(a, b), expected);
      assert.equal(overlaps(b, a), expected);
    });
  }
});

describe("covers", () => {
  const table: [granted: string, requested: string, expected: boolean][] = [
    ["a/b", "a/b", true],
    ["a/b", "a/c", false],
    ["a/b", "a", false],
    ["a", "a/b", false],
    ["a/+", "a/b", true],
    ["a/b", "a/+", false],
    ["a/+", "a/+", true],
    ["a/+", "a/", true],
    ["a/+", "a/#", false],
    ["a/+", "a/+/+", false],
    ["a/#", "a", true],
    ["a/#", "a/#", true],
    ["a/#", "a/+/b/#", true],
    ["a/#", "+/b", false],
    ["a/#", "ab", false],
    ["a/b/#", "a/#", false],
    // The parent level counts.
    ["a/+/#", "a/#", false],
    ["a/+/#", "a/+", true],
    ["#", "a/#", true],
    ["#", "#", true],
    ["#", "/#", true],
    ["+/#", "#", true],
    ["+", "#", false],
    ["+", "+", true],
    ["+/+", "#", false],
    // The empty name above /# is not a topic.
    ["/+/#", "/#", true],
    ["+/+/#", "/#", true],
    ["/#", "/+", true],
    ["/+", "/#", false],
    // Topics that start with $ are granted only by name.
    ["#", "$SYS", false],
    ["#", "$SYS/#", false],
    ["+/#", "$SYS/a", false],
    ["$SYS/#", "$SYS/a", true],
    ["$SYS/#", "#", false],
    ["a/#", "a/$SYS", true],
  ];
  for (const [granted, requested, expected] of table) {
    it(`${granted} covers ${requested}: ${expected}`, () => assert.equal(covers(granted, requested), expected));
  }
});

/** The specification's rules as a recursion, written independently of the code under test. */
function reference(filter: string, topic: string): boolean {
  if (topic[0] === "$" && (filter[0] === "+" || filter[0] === "#")) return false;
  const step = ([f, ...fs]: string[], [t, ...ts]: string[]): boolean => {
    if (f === undefined) return t === undefined;
    if (f === "#") return true;
    if (t === undefined) return false;
    return (f === "+" || f === t) && step(fs, ts);
  };
  return step(filter.split("/"), topic.split("/"));
}

/** Few different levels, so that filters often match topics. */
const level = fc.constantFrom("a", "b", "", "$", "$SYS", "A");
const topicName = fc.array(level, { minLength: 1, maxLength: 5 }).map((levels) => levels.join("/"));
const topicFilter = fc
  .tuple(fc.array(fc.oneof(level, fc.constant("+")), { maxLength: 5 }), fc.boolean())
  .map(([levels, hash]) => [...levels, ...(hash ? ["#"] : [])].join("/"))
  .filter((filter) => filter !== "");

/**
 * Yields all topics of up to the length of the longer filter plus `beyond`, over the filters' levels and one other
 * level.
 */
function* topicsFor(a: string, b: string, beyond = 0): Generator<string> {
  const names = [...new Set([...a.split("/"), ...b.split("/"), "other"])].filter(
    (name) => name !== "+" && name !== "#",
  );
  const longest = Math.max(a.split("/").length, b.split("/").length) + beyond;
  const grow = function* (prefix: string[]): Generator<string> {
    if (prefix.length > 0) yield prefix.join("/");
    if (prefix.length < longest) for (const name of names) yield* grow([...prefix, name]);
  };
  yield* grow([]);
}

describe("properties", () => {
  it("matches agrees with the reference", () => {
    fc.assert(
      fc.property(topicFilter, topicName, (filter, topic) => {
        assert.equal(matches(filter, topic), reference(filter, topic));
      }),
      { numRuns: 5_000 },
    );
  });

  it("matches agrees with the reference for filters made from the topic", () => {
    const pair = topicName.chain((topic) => {
      const levels = topic.split("/");
      const filter = fc.tuple(...levels.map((name) => fc.constantFrom(name, name, "+"))).map((each) => each.join("/"));
      const cut = fc.integer({ min: 0, max: levels.length }).map((n) => [...levels.slice(0, n), "#"].join("/"));
      return fc.tuple(fc.oneof(filter, cut), fc.constant(topic));
    });
    fc.assert(
      fc.property(pair, ([filter, topic]) => {
        assert.equal(matches(filter, topic), reference(filter, topic));
        assert.equal(matches(filter, topic), !(topic.startsWith("$") && /^[+#]/.test(filter)));
      }),
      { numRuns: 2_000 },
    );
  });

  it("overlaps is true exactly when both filters match a common topic", () => {
    const short = topicFilter.filter((filter) => filter.split("/").length <= 4);
    fc.assert(
      fc.property(short, short, (a, b) => {
        let common: string | undefined;
        for (const topic of topicsFor(a, b)) {
          // The empty string is not a topic name, although split returns one empty level for it.
          if (topic !== "" && reference(a, topic) && reference(b, topic)) {
            common = topic;
            break;
          }
        }
        assert.equal(overlaps(a, b), common !== undefined, `${a} | ${b} | ${common}`);
      }),
      { numRuns: 1_000 },
    );
  });

  it("covers is true exactly when every requested topic is granted", () => {
    const short = topicFilter.filter((filter) => filter.split("/").length <= 3);
    // Two random filters hardly ever cover each other: the second one is also derived from the first.
    const narrowed = short.chain((granted) =>
      fc.tuple(
        fc.constant(granted),
        fc
          .tuple(
            ...granted.split("/").map((one) => (one === "+" ? fc.oneof(level, fc.constant("+")) : fc.constant(one))),
          )
          .map((levels) => levels.join("/"))
          .filter((filter) => filter !== ""),
      ),
    );
    let covered = 0;
    fc.assert(
      fc.property(fc.oneof(fc.tuple(short, short), narrowed), ([granted, requested]) => {
        let missing: string | undefined;
        for (const topic of topicsFor(granted, requested, 1)) {
          if (topic !== "" && matches(requested, topic) && !matches(granted, topic)) {
            missing = topic;
            break;
          }
        }
        assert.equal(covers(granted, requested), missing === undefined, `${granted} | ${requested} | ${missing}`);
        if (missing === undefined) covered++;
      }),
      { numRuns: 2_000 },
    );
    assert.ok(covered > 200, `only ${covered} of the pairs were covered`);
  });

  it("a name is covered exactly by the filters that match it, and by a matcher of them", () => {
    fc.assert(
      fc.property(fc.array(topicFilter), topicName, (filters, topic) => {
        if (topic === "") return;
        for (const filter of filters) assert.equal(covers(filter, topic), matches(filter, topic));
        assert.equal(
          matcher(filters)(topic),
          filters.some((filter) => reference(filter, topic)),
        );
      }),
    );
  });

  it("covers is reflexive and transitive", () => {
    fc.assert(
      fc.property(topicFilter, topicFilter, topicFilter, (a, b, c) => {
        assert.ok(covers(a, a));
        if (covers(a, b) && covers(b, c)) assert.ok(covers(a, c));
      }),
    );
  });

  it("overlaps is symmetric and reflexive", () => {
    fc.assert(
      fc.property(topicFilter, topicFilter, (a, b) => {
        assert.equal(overlaps(a, b), overlaps(b, a));
        assert.ok(overlaps(a, a));
      }),
    );
  });

  it("a name is valid as a filter and matches itself", () => {
    fc.assert(
      fc.property(fc.string({ unit: codePoint, minLength: 1 }), (text) => {
        const valid = topicNameError(text) === undefined;
        const isDisallowed = [...text].some((char) => /[+#\p{Cc}\p{Noncharacter_Code_Point}]/u.test(char));
        const isDeep = text.split("/").length > MAX_TOPIC_LEVELS || text.split("/")[0] === "$share";
        assert.equal(valid, !isDisallowed && !isDeep && text.isWellFormed());
        if (!valid) return;
        assert.equal(topicFilterError(text), undefined);
        assert.ok(matches(text, text));
      }),
    );
  });
});
