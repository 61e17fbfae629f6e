/** Topics of hooks: the parts of a template, its filter, and the topics that it can become. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { filterOf, parseTopic, type TopicTemplate, topicWith } from "../../src/hooks/template.ts";
import { covers, matches, publishTopicError } from "../../src/topic.ts";
import fc, { codePoint } from "../support/property.ts";

function parsed(topic: string): TopicTemplate {
  const template = parseTopic(topic);
  assert.ok(typeof template !== "string", `${template}`);
  return template;
}

describe("the template of a topic", () => {
  const valid: [reason: string, topic: string, expressions: string[], filter: string][] = [
    ["no expression", "a/b", [], "a/b"],
    ["one level", "a/{body.id}/b", ["body.id"], "a/+/b"],
    ["a part of a level", "a/room-{query.n}/b", ["query.n"], "a/+/b"],
    ["two in one level", "{method}{query.n}", ["method", "query.n"], "+"],
    ["braces of JSONata", 'a/{ {"x": {"y": 1}}.x.y }', [' {"x": {"y": 1}}.x.y '], "a/+"],
    ["braces in a string", 'a/{"}" & "{\\""}/c', ['"}" & "{\\""'], "a/+/c"],
    ["braces in a name", "a/{body.`}`}", ["body.`}`"], "a/+"],
    ["braces in a comment", "a/{1 /* } */}", ["1 /* } */"], "a/+"],
    ["slashes in an expression", 'a/{$split(body.x, "/")[0]}/b', ['$split(body.x, "/")[0]'], "a/+/b"],
    ["a header with a hyphen", "{headers.`x-github-event`}", ["headers.`x-github-event`"], "+"],
  ];
  for (const [reason, topic, expressions, filter] of valid)
    it(`has ${reason}`, () => {
      const template = parsed(topic);
      assert.deepEqual(template.expressions, expressions);
      assert.equal(filterOf(template), filter);
    });

  const invalid: [reason: string, topic: string, error: RegExp][] = [
    ["an open brace", "a/{b", /\{ without/],
    ["a string that never ends", 'a/{"b}', /\{ without/],
    ["a comment that never ends", "a/{1 /* }", /\{ without/],
    ["a closing brace", "a}/b", /\} without/],
    ["an empty expression", "a/{ }", /without an expression/],
    ["a wildcard", "a/+/{b}", /wildcards/],
    ["a topic of the broker", "$SYS/{b}", /\$/],
    ["another topic with $", "$app/{b}", /\$/],
    ["a control character", "a\u0007/{b}", /control/],
    ["too many expressions", "{a}".repeat(21), /20 expressions/],
    ["too many levels", `${"a/".repeat(100)}{b}`, /levels/],
  ];
  for (const [reason, topic, error] of invalid)
    it(`must not have ${reason}`, () => {
      assert.match(String(parseTopic(topic)), error);
    });
});

describe("the topic of a call", () => {
  const template = parsed("a/{x}/b-{y}");
  const cases: [reason: string, values: unknown[], expected: string | RegExp][] = [
    ["texts", ["7", "on"], "a/7/b-on"],
    ["numbers and booleans", [7, true], "a/7/b-true"],
    ["a text with $ and a backslash", ["$1", "\\"], "a/$1/b-\\"],
    ["no value", [undefined, "on"], /expression 1 must give/],
    ["null", ["7", null], /expression 2 must give/],
    ["an object", [{}, "on"], /expression 1 must give/],
    ["an array", [["7"], "on"], /expression 1 must give/],
    ["an empty text", ["", "on"], /expression 1 must not give an empty/],
    ["another level", ["7/secret", "on"], /expression 1 must not contain/],
    ["a wildcard", ["7", "+"], /expression 2 must not contain/],
    ["the other wildcard", ["#", "on"], /expression 1 must not contain/],
    ["a null character", ["\u0000", "on"], /null character/],
    ["half a character", ["\ud800", "on"], /Unicode/],
    ["a very long text", ["x".repeat(70_000), "on"], /longer/],
  ];
  for (const [reason, values, expected] of cases)
    it(`from ${reason}`, () => {
      const found = topicWith(template, values);
      if (typeof expected === "string") assert.deepEqual(found, { topic: expected });
      else assert.match("error" in found ? found.error : "", expected);
    });

  it("never begins with $, whatever the value", () => {
    assert.ok("error" in topicWith(parsed("{a}/b"), ["$SYS"]));
    assert.ok("error" in topicWith(parsed("{a}"), ["$share"]));
  });

  it("quotes no value in an error", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^needle[/+#]$/), (value) => {
        const found = topicWith(template, [value, value]);
        return "error" in found && !found.error.includes("needle");
      }),
    );
  });

  it("is a valid topic that the filter matches, so that a key which covers the filter may publish to it", () => {
    const level = fc.oneof(fc.constantFrom("a", "b-", "", "{x}", "x{y}z", "{x}{y}"), fc.stringMatching(/^[a-z]{1,3}$/));
    const topics = fc.array(level, { minLength: 1, maxLength: 5 }).map((levels) => levels.join("/"));
    const value = fc.oneof(
      fc.string({ unit: codePoint }),
      fc.integer(),
      fc.boolean(),
      fc.constantFrom("$", "$SYS", "a/b"),
    );
    const grants = fc
      .array(fc.constantFrom("a", "+", "b-"), { minLength: 1, maxLength: 5 })
      .map((one) => one.join("/"));
    fc.assert(
      fc.property(topics, fc.array(value, { minLength: 10, maxLength: 10 }), grants, (topic, values, granted) => {
        const made = parseTopic(topic);
        if (typeof made === "string") return true;
        const found = topicWith(made, values);
        if ("error" in found) return true;
        const filter = filterOf(made);
        assert.equal(publishTopicError(found.topic), undefined);
        assert.ok(matches(filter, found.topic), `${filter} does not match ${found.topic}`);
        if (covers(granted, filter)) assert.ok(matches(granted, found.topic));
        return true;
      }),
    );
  });

  it("parses every text without an exception", () => {
    const text = fc.array(fc.constantFrom("{", "}", '"', "'", "`", "/", "*", "\\", "a", "/*", "*/"), { maxLength: 30 });
    fc.assert(
      fc.property(text, (parts) => {
        const topic = parts.join("");
        const made = parseTopic(topic);
        if (typeof made === "string") return true;
        const { texts, expressions } = made;
        return texts.slice(1).reduce((all, one, i) => `${all}{${expressions[i]}}${one}`, texts[0]!) === topic;
      }),
    );
  });
});
