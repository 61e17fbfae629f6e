/** `GET /v1/topics?filter=`: pages of retained messages. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import request from "supertest";
import { Problem } from "../../src/http/problem.ts";
import fc, { codePoint } from "../support/property.ts";
import { AUTH, type Downlink, startDownlink } from "./support.ts";

const held = (text: string) => ({ payload: Buffer.from(text), qos: 1 as const });

describe("GET /v1/topics", () => {
  let test: Downlink;
  before(async () => {
    test = await startDownlink();
  });
  after(() => test.app.close());
  beforeEach(() => {
    test.held.clear();
    test.truncated = false;
  });

  const get = (query: Record<string, string | number>) =>
    request(test.app.server).get("/v1/topics").query(query).set(AUTH);

  async function allPages(filter: string, limit: number) {
    const topics: string[] = [];
    for (let after: string | null | undefined; after !== null; ) {
      const { status, body, text } = await get({ filter, limit, ...(after && { after }) });
      assert.equal(status, 200, text);
      assert.ok(body.items.length <= limit);
      topics.push(...body.items.map(({ topic }: { topic: string }) => topic));
      after = body.nextCursor;
    }
    return topics;
  }

  it("responds with an empty page where nothing is retained", async () => {
    const { body } = await get({ filter: "#" });
    assert.deepEqual(body, { items: [], nextCursor: null, truncated: false });
  });

  it("shows the same as the topic resource, including the ETag", async () => {
    test.held.set("a/b", { ...held("1;2"), qos: 2, contentType: "text/csv", userProperties: { unit: "°C" } });
    test.held.set("a/c", held("ü"));
    test.truncated = true;
    const { body } = await get({ filter: "a/+" });
    const etags = await Promise.all(
      ["a/b", "a/c"].map(async (topic) => {
        const answer = await request(test.app.server).get(`/v1/topics/${topic}`).set(AUTH);
        return answer.headers.etag;
      }),
    );
    assert.deepEqual(body, {
      items: [
        { topic: "a/b", qos: 2, payloadSize: 3, contentType: "text/csv", etag: etags[0] },
        { topic: "a/c", qos: 1, payloadSize: 2, etag: etags[1] },
      ],
      nextCursor: null,
      truncated: true,
    });
  });

  it("lists every topic once, sorted, for any page size", async () => {
    const topic = fc.string({ unit: codePoint, minLength: 1, maxLength: 6 }).filter((text) => !/[+#\0]/.test(text));
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(topic, { maxLength: 12 }),
        fc.integer({ min: 1, max: 5 }),
        async (topics, limit) => {
          test.held.clear();
          for (const one of topics) test.held.set(`t/${one}`, held(one));
          assert.deepEqual(await allPages("t/#", limit), topics.map((one) => `t/${one}`).sort());
        },
      ),
      { numRuns: 40 },
    );
  });

  it("continues after a topic of 65,535 bytes", async () => {
    const long = `a/${"é".repeat(32_766)}x`;
    for (const topic of [long, "a/z"]) test.held.set(topic, held("x"));
    assert.deepEqual(await allPages("a/#", 1), ["a/z", long].sort());
  });

  it("has a default page size of 50", async () => {
    for (let i = 0; i < 51; i++) test.held.set(`t/${i}`, held(""));
    assert.equal((await get({ filter: "#" })).body.items.length, 50);
  });

  for (const filter of ["a/#/b", "a+", "$share/g/a", "a\u0000"]) {
    it(`refuses the filter ${JSON.stringify(filter)}`, async () => {
      const { status, body } = await get({ filter });
      assert.deepEqual([status, body.code, body.errors[0].path], [400, "invalid_topic_filter", "query.filter"]);
    });
  }

  it("refuses other query parameters by name", async () => {
    for (const [query, path] of [
      [{}, "query.filter"],
      [{ filter: "" }, "query.filter"],
      [{ filter: "a", limit: 251 }, "query.limit"],
      [{ filter: "a", after: "%" }, "query.after"],
      [{ filter: "a", after: Buffer.from("a/#").toString("base64url") }, "query.after"],
      [{ filter: "a", more: 1 }, "query.more"],
    ] as const) {
      const { status, body } = await get(query as Record<string, string>);
      assert.deepEqual([status, body.code, body.errors[0].path], [400, "invalid_request", path]);
    }
  });

  it("reports that the broker is away", async () => {
    test.held.set("a", new Problem("broker_unavailable", "away"));
    assert.equal((await get({ filter: "a" })).status, 503);
  });
});
