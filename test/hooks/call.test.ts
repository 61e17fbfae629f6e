/** Calls of hooks: bodies by content type, and the document that expressions see. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { documentOf, type HookCall, readBody } from "../../src/hooks/call.ts";
import fc, { codePoint } from "../support/property.ts";

const read = (type: string | undefined, body: string | Buffer) =>
  readBody({ headers: { "content-type": type }, body: Buffer.from(body) });

const BOUNDARY = "xyz";
const part = (head: string, body: string) =>
  `--${BOUNDARY}\r\nContent-Disposition: form-data; ${head}\r\n\r\n${body}\r\n`;
const multipart = (...parts: string[]) => `${parts.join("")}--${BOUNDARY}--\r\n`;
const MULTIPART = `multipart/form-data; boundary=${BOUNDARY}`;

describe("the body of a call", () => {
  const cases: [reason: string, type: string | undefined, body: string | Buffer, value: unknown][] = [
    ["JSON", "application/json; charset=utf-8", '{"a":[1]}', { a: [1] }],
    ["a type that ends in +json", "application/cloudevents+json", "7", 7],
    ["JSON with the name __proto__", "application/json", '{"__proto__":1}', JSON.parse('{"__proto__":1}')],
    ["a form", "application/x-www-form-urlencoded", "a=1&b=x+y&a=2", { a: ["1", "2"], b: "x y" }],
    ["text", "text/plain", "größe", "größe"],
    ["text without a type", undefined, "on", "on"],
    ["bytes", "application/octet-stream", Buffer.from([0xff, 0xfe]), undefined],
    ["nothing", "application/json", "", undefined],
    ["fields", MULTIPART, multipart(part('name="a"', "1"), part('name="a"', "2")), { a: ["1", "2"] }],
  ];
  for (const [reason, type, body, value] of cases)
    it(`is ${reason}, and the payload is its bytes`, async () => {
      const found = await read(type, body);
      assert.deepEqual(found?.value, value);
      assert.deepEqual(found?.payload, Buffer.from(body));
      assert.equal(found?.contentType, type);
    });

  it("is a multipart upload, whose first file is the payload", async () => {
    const head = 'name="thumb"; filename="a.jpg"\r\nContent-Type: image/jpeg';
    const found = await read(
      MULTIPART,
      multipart(part('name="event"', "ring"), part(head, "\u0001jpg\r\n-"), part(head, "2")),
    );
    assert.equal(found?.payload.toString(), "\u0001jpg\r\n-");
    assert.equal(found?.contentType, "image/jpeg");
    const [first, second] = (found!.value as { thumb: object[] }).thumb;
    assert.deepEqual(first, { filename: "a.jpg", contentType: "image/jpeg", size: 7 });
    assert.deepEqual(second, { filename: "a.jpg", contentType: "image/jpeg", size: 1 });
    assert.deepEqual(found?.fields, found?.value);
  });

  const invalid: [reason: string, type: string, body: string | Buffer][] = [
    ["broken JSON", "application/json", "{"],
    ["JSON that is no UTF-8", "application/json", Buffer.from([0x22, 0xff, 0x22])],
    ["a multipart body without boundary", "multipart/form-data", multipart(part('name="a"', "1"))],
    ["a cut multipart body", MULTIPART, multipart(part('name="a"', "1")).slice(0, 30)],
  ];
  for (const [reason, type, body] of invalid)
    it(`is refused if it is ${reason}`, async () => {
      assert.equal(await read(type, body), undefined);
    });

  it("is read or refused, whatever it is", async () => {
    const types = fc.constantFrom(
      "application/json",
      "application/x-www-form-urlencoded",
      MULTIPART,
      "text/plain",
      "x",
    );
    const fragments = fc.constantFrom(
      `--${BOUNDARY}`,
      "\r\n",
      "--",
      "Content-Disposition: form-data; ",
      'name="a"',
      "é",
      "=&",
    );
    const bodies = fc.array(fc.oneof(fragments, fc.string({ unit: codePoint })), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(types, bodies, async (type, parts) => {
        const found = await read(type, parts.join(""));
        assert.ok(found === undefined || Buffer.isBuffer(found.payload));
      }),
    );
  });
});

describe("the document of a call", () => {
  it("has the parts of the call, and no credentials", async () => {
    const call: HookCall = {
      method: "POST",
      query: { a: "query", c: "3" },
      headers: {
        ...{ "content-type": "application/x-www-form-urlencoded", "x-github-event": "push" },
        ...{ authorization: "Basic x", cookie: "y", "x-gitlab-token": "z", "proxy-authorization": "w" },
      },
      body: Buffer.from("a=form&b=2"),
      address: "192.0.2.1",
    };
    const { "x-github-event": event, "content-type": type } = call.headers;
    assert.deepEqual(JSON.parse(documentOf(call, (await readBody(call))!)), {
      method: "POST",
      query: { a: "query", c: "3" },
      headers: { "content-type": type, "x-github-event": event },
      body: { a: "form", b: "2" },
      params: { a: "form", b: "2", c: "3" },
    });
  });
});
