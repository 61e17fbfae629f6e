/** The receiver with requests of fetch, as the bridge builds them. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ReceivedEvent } from "../../src/receiver/event.ts";
import { createReceiver, Gone, type HandledIds, MemoryIds, Reply, RetryLater } from "../../src/receiver/index.ts";
import type { ReceiverOptions } from "../../src/receiver/receiver.ts";
import { newSecret } from "../../src/uplink/request/signature.ts";
import { batchOf, callOf, messageOf, SECRET, signed, toRequest } from "./calls.ts";

/** A receiver, and what its handler and `onError` got. */
function start(onMessage: ReceiverOptions["onMessage"] = () => undefined, more: Partial<ReceiverOptions> = {}) {
  const [handled, errors]: [ReceivedEvent[], [unknown, string | undefined][]] = [[], []];
  const receiver = createReceiver({
    secret: SECRET,
    onMessage(event) {
      handled.push(event);
      return onMessage(event);
    },
    onError: (error, event) => void errors.push([error, event?.id]),
    ...more,
  });
  const call = async (...args: Parameters<typeof toRequest>) => {
    const response = await receiver.receive(toRequest(...args));
    return { status: response.status, headers: response.headers, body: await response.text() };
  };
  return { receiver, call, handled, errors };
}

describe("a call", () => {
  it("reaches the handler, and is answered with 204", async () => {
    const { call, handled, errors } = start();
    const sent = messageOf("devices/7", "21.50", { userProperties: { unit: "C" } });
    assert.deepEqual([(await call(callOf(sent, { attempt: 2 }))).status, errors], [204, []]);
    assert.deepEqual(
      handled.map((event) => [event.id, event.topic, event.text(), event.attempt, event.userProperties]),
      [[sent.id, "devices/7", "21.50", 2, { unit: "C" }]],
    );
  });

  it("is refused with 401 when it is forged, too old or too new, and tells nothing secret", async () => {
    const { call, handled, errors } = start();
    const sent = messageOf("t", "1");
    const good = callOf(sent);
    for (const forged of [
      { ...good, body: Buffer.from(`${good.body} `) },
      callOf(sent, { secrets: [newSecret()] }),
      callOf(sent, { now: Date.now() - 302_000 }),
      callOf(sent, { now: Date.now() + 302_000 }),
      { ...good, headers: { ...good.headers, "webhook-id": "msg_other" } },
    ]) {
      const { status, body } = await call(forged);
      assert.equal(status, 401);
      assert.match(body, /^{"error":"(no matching signature|webhook-timestamp is too (old|new))"}$/);
    }
    assert.deepEqual([handled, errors], [[], []]);
    assert.equal((await call(good)).status, 204);
  });

  it("is accepted with either secret during a rotation", async () => {
    const [old, current] = [newSecret(), newSecret()];
    const { call, handled } = start(undefined, { secret: [old, current] });
    for (const secrets of [[old], [current], [current, old]]) await call(callOf(messageOf("t", "1"), { secrets }));
    assert.equal(handled.length, 3);
  });

  it("obeys toleranceSeconds", async () => {
    const { call } = start(undefined, { toleranceSeconds: 1_000 });
    const now = Date.now() - 990_000;
    assert.equal((await call(callOf(messageOf("t", "1"), { now }))).status, 204);
    assert.equal((await call(callOf(messageOf("t", "1"), { now: now - 20_000 }))).status, 401);
  });

  it("is refused with 400 when it is signed and no event", async () => {
    const { call, handled } = start();
    const good = callOf(messageOf("t", "1"));
    const { status, body } = await call(signed({ ...good, body: Buffer.from("{") }, good.headers["webhook-id"]!));
    assert.deepEqual([status, body, handled], [400, '{"error":"the body is not JSON in UTF-8"}', []]);
  });

  it("is refused with 413 when it is too large, declared or not", async () => {
    const good = callOf(messageOf("t", "x".repeat(1_000)));
    const size = good.body.length;
    const { call, receiver } = start(undefined, { maxBodyBytes: size });
    const larger = { ...good, body: Buffer.concat([good.body, Buffer.from("x")]) };
    assert.equal((await call(larger)).status, 413);
    const declared = { ...good, headers: { ...good.headers, "content-length": String(size + 1) } };
    assert.equal((await call(declared)).status, 413);
    assert.equal((await call(good)).status, 204);
    const pulled = { chunks: 0 };
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled.chunks++;
        controller.enqueue(new Uint8Array(100));
      },
    });
    const request = new Request("http://127.0.0.1/", { method: "POST", body: endless, duplex: "half" } as RequestInit);
    assert.equal((await receiver.receive(request)).status, 413);
    assert.ok(pulled.chunks < size / 100 + 5, `${pulled.chunks} chunks were read`);
  });

  it("is refused with 405 when it is read or removed", async () => {
    const { receiver, handled } = start();
    for (const method of ["GET", "DELETE"]) {
      const response = await receiver.receive(new Request("http://127.0.0.1/", { method }));
      assert.deepEqual([response.status, response.headers.get("allow")], [405, "POST"]);
    }
    assert.deepEqual(handled, []);
  });

  it("is answered with 500 when its body was read before, and onError says why", async () => {
    const { receiver, errors } = start();
    const request = toRequest(callOf(messageOf("t", "1")));
    await request.text();
    assert.equal((await receiver.receive(request)).status, 500);
    assert.match(String(errors[0]?.[0]), /^BodyAlreadyRead: A body parser has read the body/);
  });
});

describe("a repeated call", () => {
  it("is handled once, in whichever mode it comes", async () => {
    const { call, handled } = start();
    const sent = messageOf("t", "1");
    for (const again of [callOf(sent), callOf(sent), callOf(sent, { mode: "binary" }), batchOf([sent])]) {
      assert.ok((await call(again)).status < 300);
    }
    assert.equal(handled.length, 1);
  });

  it("is handled once at the same time, and both calls get the outcome", async () => {
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const { call, handled } = start(() => gate.then(() => "done"));
    const sent = messageOf("t", "1");
    const calls = [call(callOf(sent)), call(callOf(sent, { attempt: 2 }))];
    open();
    assert.deepEqual(
      (await Promise.all(calls)).map(({ status, body }) => [status, body]),
      [
        [200, "done"],
        [200, "done"],
      ],
    );
    assert.equal(handled.length, 1);
  });

  it("gets the reply of the first one, whose response can have been lost", async () => {
    const { call } = start(() => new Reply(new Uint8Array([0, 255]), "application/x"));
    const request = callOf(messageOf("t", "1"));
    const [first, second] = [await call(request), await call(request)];
    for (const { status, headers, body } of [first, second]) {
      assert.deepEqual([status, headers.get("content-type"), body], [200, "application/x", "\0\ufffd"]);
    }
  });

  it("is handled again after a failure", async () => {
    const { call, handled } = start(({ attempt }) => {
      if (attempt === 1) throw new Error("not yet");
    });
    const sent = messageOf("t", "1");
    const statuses = [];
    for (const attempt of [1, 2, 3]) statuses.push((await call(callOf(sent, { attempt }))).status);
    assert.deepEqual([statuses, handled.length], [[500, 204, 204], 2]);
  });

  it("is recognized by another instance with the same store", async () => {
    const store = new Map<string, string>();
    const [one, other] = [start(undefined, { store }), start(undefined, { store })];
    const request = callOf(messageOf("t", "1"));
    for (const { call } of [one, other]) assert.equal((await call(request)).status, 204);
    assert.deepEqual([one.handled.length, other.handled.length], [1, 0]);
  });

  it("is not handled while the store cannot be read", async () => {
    const store: HandledIds = { get: () => Promise.reject(new Error("store away")), set: () => undefined };
    const { call, handled, errors } = start(undefined, { store });
    assert.equal((await call(callOf(messageOf("t", "1")))).status, 500);
    assert.deepEqual([handled.length, errors.map(([error]) => (error as Error).message)], [0, ["store away"]]);
  });

  it("is not asked for when the event was handled and the store failed afterwards", async () => {
    const store: HandledIds = { get: () => null, set: () => Promise.reject(new Error("store away")) };
    const { call, errors } = start(undefined, { store });
    const sent = messageOf("t", "1");
    assert.equal((await call(callOf(sent))).status, 204);
    assert.deepEqual(
      errors.map(([error, id]) => [(error as Error).message, id]),
      [["store away", sent.id]],
    );
  });
});

describe("MemoryIds", () => {
  it("forgets the least recently used id beyond its size", () => {
    const ids = new MemoryIds({ max: 2 });
    for (const id of ["a", "b"]) ids.set(id, id);
    ids.get("a");
    ids.set("c", "c");
    assert.deepEqual(
      ["a", "b", "c"].map((id) => ids.get(id)),
      ["a", undefined, "c"],
    );
  });

  it("forgets an id after its time", (t) => {
    let now = 1_000;
    t.mock.method(performance, "now", () => now);
    const ids = new MemoryIds({ ttlSeconds: 10 });
    ids.set("a", "");
    now += 9_000;
    assert.equal(ids.get("a"), "");
    now += 2_000;
    assert.equal(ids.get("a"), undefined);
  });

  it("bounds the memory of the replies", () => {
    const ids = new MemoryIds();
    const reply = "x".repeat(20 * 1024 * 1024);
    for (const id of ["a", "b", "c", "d"]) ids.set(id, reply);
    assert.deepEqual(
      ["a", "b", "d"].map((id) => ids.get(id) !== undefined),
      [false, true, true],
    );
  });
});

describe("the handler", () => {
  const replies: [title: string, value: unknown, contentType: string | null, body: string][] = [
    ["nothing", undefined, null, ""],
    ["text", "on", "text/plain", "on"],
    ["bytes", new TextEncoder().encode("on"), "application/octet-stream", "on"],
    ["an object", { on: true }, "application/json", '{"on":true}'],
    ["null", null, "application/json", "null"],
    ["a number", 21.5, "application/json", "21.5"],
    ["a reply with its own type", new Reply("<on/>", "application/xml"), "application/xml", "<on/>"],
  ];
  for (const [title, value, contentType, body] of replies) {
    it(`replies with ${title}`, async () => {
      const answer = await start(() => value).call(callOf(messageOf("t", "1")));
      assert.deepEqual(
        [answer.status, answer.headers.get("content-type"), answer.body],
        [contentType === null ? 204 : 200, contentType, body],
      );
    });
  }

  const failures: [
    title: string,
    handle: () => unknown,
    status: number,
    retryAfter: string | null,
    reported: number,
  ][] = [
    ["an error", () => Promise.reject(new Error(`password ${SECRET}`)), 500, null, 1],
    ["an error of its synchronous part", () => assert.fail(SECRET), 500, null, 1],
    ["a value that is no reply", () => 1n, 500, null, 1],
    ["RetryLater", () => Promise.reject(new RetryLater(90, SECRET)), 429, "90", 0],
    ["RetryLater with a fraction", () => Promise.reject(new RetryLater(0.2)), 429, "1", 0],
    ["Gone", () => Promise.reject(new Gone(SECRET)), 410, null, 0],
  ];
  for (const [title, handle, status, retryAfter, reported] of failures) {
    it(`fails with ${title}: ${status}, without its message`, async () => {
      const { call, errors } = start(handle);
      const sent = messageOf("t", "1");
      const answer = await call(callOf(sent));
      assert.deepEqual([answer.status, answer.headers.get("retry-after")], [status, retryAfter]);
      assert.ok(!answer.body.includes(SECRET), answer.body);
      assert.deepEqual(
        errors.map(([, id]) => id),
        Array(reported).fill(sent.id),
      );
    });
  }

  it("cannot ask for a delay or a content type that HTTP cannot express", () => {
    for (const seconds of [-1, Number.NaN, Infinity]) assert.throws(() => new RetryLater(seconds), RangeError);
    for (const type of ["", "a\nb", "ä"]) assert.throws(() => new Reply("", type), TypeError);
  });
});

describe("a batch", () => {
  it("is answered with the ids that failed, and only those are handled again", async () => {
    const { call, handled, errors } = start(({ topic }) => {
      if (topic === "broken") throw new Error("broken");
    });
    const [good, broken] = [messageOf("good", "1"), messageOf("broken", "2")];
    for (let i = 0; i < 2; i++) {
      const { status, body } = await call(batchOf([good, broken, broken]));
      assert.deepEqual([status, JSON.parse(body)], [200, { failed: [broken.id] }]);
    }
    assert.deepEqual(
      handled.map(({ topic }) => topic),
      ["good", "broken", "broken"],
    );
    assert.ok(errors.every(([, id]) => id === broken.id));
  });

  it("without events is accepted", async () => {
    const { status, body } = await start().call(batchOf([]));
    assert.deepEqual([status, body], [200, '{"failed":[]}']);
  });

  it("is put off or refused as a whole: the longest delay counts, and Gone counts most", async () => {
    const thrown: Record<string, Error> = { later: new RetryLater(5), latest: new RetryLater(60), gone: new Gone() };
    const { call, handled } = start(({ topic }) => {
      if (thrown[topic]) throw thrown[topic];
    });
    const [good, later, latest, gone] = ["good", "later", "latest", "gone"].map((topic) => messageOf(topic, "1"));
    const put = await call(batchOf([good!, later!, latest!]));
    assert.deepEqual([put.status, put.headers.get("retry-after")], [429, "60"]);
    assert.equal((await call(batchOf([good!, latest!, gone!]))).status, 410);
    assert.equal(handled.filter(({ topic }) => topic === "good").length, 1);
  });
});

describe("the ownership check", () => {
  const ask = async (headers: Record<string, string>, options: Partial<ReceiverOptions> = {}) => {
    const { receiver } = start(undefined, options);
    const response = await receiver.receive(new Request("http://127.0.0.1/", { method: "OPTIONS", headers }));
    const [origin, rate] = ["origin", "rate"].map((name) => response.headers.get(`webhook-allowed-${name}`));
    return { status: response.status, origin, rate };
  };
  const origin = "bridge.example.com";

  it("is passed by any bridge", async () => {
    const asked = { "webhook-request-origin": origin };
    assert.deepEqual(await ask(asked), { status: 204, origin, rate: null });
    assert.deepEqual(await ask({ ...asked, "webhook-request-rate": "120" }), { status: 204, origin, rate: "*" });
  });

  it("is passed only by allowedOrigins, if there are any", async () => {
    const asked = { "webhook-request-origin": origin };
    const allowed = await ask(asked, { allowedOrigins: ["other", "Bridge.example.com"] });
    assert.deepEqual(allowed, { status: 204, origin, rate: null });
    assert.deepEqual(await ask(asked, { allowedOrigins: ["other"] }), { status: 403, origin: null, rate: null });
  });

  it("is not what another OPTIONS request gets", async () => {
    assert.deepEqual(await ask({}), { status: 204, origin: null, rate: null });
  });
});

it("refuses to be created without a secret", () => {
  const secret = process.env.A_VARIABLE_THAT_IS_NOT_SET as string;
  assert.throws(() => createReceiver({ secret, onMessage: () => undefined }), /is its environment variable set/);
});
