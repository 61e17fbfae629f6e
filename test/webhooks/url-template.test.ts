/** URL templates: where placeholders may be, and the URL that each topic makes. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { missingLevel, resolveUrl, sampleOf, templateError } from "../../src/webhooks/url-template.ts";
import fc, { codePoint } from "../support/property.ts";

describe("a URL template", () => {
  const good = [
    "https://x.test/",
    "https://x.test/{topic}",
    "https://x.test/a-{topic[0]}/{topic[12]}?t={topic}&{topic[1]}={topic[2]}",
    "https://x.test?{topic}",
    "https://x.test/{other}/{Topic}",
  ];
  for (const url of good) it(`may be ${url}`, () => assert.equal(templateError(url), undefined));

  const bad: [url: string, error: RegExp][] = [
    ["https://{topic}/", /scheme, host or port/],
    ["https://{topic[0]}.x.test/{topic}", /scheme, host or port/],
    ["https://x{topic}", /scheme, host or port/],
    ["https://x.test:808{topic}/", /scheme, host or port/],
    ["https:\\\\{topic}.x.test/", /scheme, host or port/],
    ["https://a@{topic}/", /scheme, host or port/],
    ["https://x.test/{topic[a]}", /level n from 0/],
    ["https://x.test/{topic[-1]}", /level n from 0/],
    ["https://x.test/{topic[0]", /level n from 0/],
    ["https://x.test/{topics}", /level n from 0/],
    ["https://x.test/{to{topic}pic}", /level n from 0/],
  ];
  for (const [url, error] of bad) it(`must not be ${url}`, () => assert.match(templateError(url) ?? "", error));

  it("leaves errors of the URL itself to the guard", () => {
    for (const url of ["{topic}://x.test/", "https://:{topic}/", "{topic}"]) {
      assert.ok(templateError(url) !== undefined || !URL.canParse(sampleOf(url)), url);
    }
  });
});

describe("the URL for a message", () => {
  const base = "https://x.test";
  const cases: [template: string, topic: string, url: string][] = [
    ["/hook?a={b}", "a/b", "/hook?a={b}"],
    ["/{topic}", "devices/pi-7/state", "/devices%2Fpi-7%2Fstate"],
    ["/d/{topic[1]}/{topic[0]}", "devices/pi-7", "/d/pi-7/devices"],
    ["/?t={topic}&n={topic[0]}", "a b/ü&c=d#e", "/?t=a%20b%2F%C3%BC%26c%3Dd%23e&n=a%20b"],
    ["/{topic[0]}/x/{topic[1]}", "a//b", "/a/x/"],
    ["/{topic[0]}/x", "/a", "//x"],
    ["/a{topic[0]}", "../x", "/a.."],
    ["/?x={topic[0]}", "..", "/?x=.."],
    ["/{topic}", "%2e%2e", "/%252e%252e"],
    ["/{topic}", "\ud800", "/%EF%BF%BD"],
    ["/{topic}", "$&", "/%24%26"],
  ];
  for (const [template, topic, url] of cases) {
    it(`${template} becomes ${url}`, () => assert.equal(resolveUrl(base + template, topic), base + url));
  }

  const failing: [template: string, topic: string, error: RegExp][] = [
    ["/{topic[2]}", "a/b", /no level 2/],
    ["/{topic[0]}?{topic[9]}", "a", /no level 9/],
    ["/a/{topic[1]}", "x/..", /change the path/],
    ["/a/{topic}/b", ".", /change the path/],
    ["/a/.{topic[0]}/b", ".", /change the path/],
    ["/a\\{topic[0]}", "..", /change the path/],
    ["/a/%2e{topic[0]}", ".", /change the path/],
    ["/{topic}", "x".repeat(8_192), /longer than/],
  ];
  for (const [template, topic, error] of failing) {
    it(`${template} has none for ${topic.slice(0, 10)}`, () => {
      const url = resolveUrl(base + template, topic);
      assert.ok(typeof url === "object");
      assert.match(url.error, error);
    });
  }

  it("differs in the filled levels only, whatever the topic", () => {
    const template = `${base}/a/{topic[0]}/b-{topic}/c?d={topic}&e=1`;
    fc.assert(
      fc.property(fc.string({ unit: codePoint, maxLength: 40 }), (topic) => {
        const text = resolveUrl(template, topic);
        if (typeof text === "object") return /change the path/.test(text.error);
        const url = new URL(text);
        const [, a, , b, c, ...rest] = url.pathname.split("/");
        const fixed = [url.origin, a, b?.slice(0, 2), c, rest.length, url.hash, url.searchParams.get("e")];
        assert.deepEqual(fixed, [base, "a", "b-", "c", 0, "", "1"]);
        assert.equal(url.searchParams.get("d"), topic.toWellFormed());
        return true;
      }),
    );
  });
});

describe("a template and its topics", () => {
  const cases: [url: string, topics: string[], filter: string | undefined][] = [
    ["/{topic[1]}", ["a/+", "a/#", "#"], undefined],
    ["/{topic[2]}", ["a/#", "a/+", "a"], "a/+"],
    ["/{topic[0]}", ["a"], undefined],
    ["/{topic}", ["a"], undefined],
    ["/hook", ["a"], undefined],
  ];
  for (const [url, topics, filter] of cases) {
    it(`${url} with ${topics}: ${filter ?? "fits"}`, () => assert.equal(missingLevel(url, topics)?.filter, filter));
  }
});
