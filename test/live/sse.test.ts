/** Streams over fake sinks: written text, dropped readers and the ends of streams. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { Writable } from "node:stream";
import { describe, it } from "node:test";
import type { OnMessage } from "../../src/live/live-subscriptions.ts";
import { Streams } from "../../src/live/sse.ts";
import type { Message } from "../../src/message.ts";

function setUp(heartbeatMs?: number) {
  const listeners = new Set<OnMessage>();
  let dropped = 0;
  const streams = new Streams({
    eventSource: "/test",
    listen: async (_topics, onMessage) => {
      listeners.add(onMessage);
      return { close: () => listeners.delete(onMessage) };
    },
    onDropped: () => dropped++,
    ...(heartbeatMs && { heartbeatMs }),
  });
  const tell = (payload: string) => {
    const message: Message = {
      id: "msg_1",
      topic: "t",
      payload: Buffer.from(payload),
      qos: 0,
      retain: false,
      receivedAt: 0,
    };
    for (const onMessage of listeners) onMessage(message);
  };
  return { streams, listeners, tell, dropped: () => dropped };
}

class Reader extends Writable {
  text = "";
  readonly writes: string[] = [];
  #onWrite = () => {};
  constructor(readonly reads = true) {
    super();
  }
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk;
    this.writes.push(chunk.toString());
    this.#onWrite();
    if (this.reads) done();
  }

  /** Resolves once the text was written. */
  async has(text: string): Promise<void> {
    while (!this.text.includes(text)) await new Promise<void>((resolve) => (this.#onWrite = resolve));
  }
}

describe("streams", () => {
  it("write an event with its id, and a payload of several lines as several data lines", async () => {
    const { streams, tell } = setUp();
    const reader = new Reader();
    await streams.open(
      ["t"],
      () => reader,
      () => true,
    );
    tell('{"a":\r\n1}');
    await reader.has("1}");
    assert.match(reader.text, /^: connected\n\nid: msg_1\ndata: \{.*"data":\{"a":\ndata: 1\}.*\}\n\n$/);
    streams.close();
  });

  it("write the first message of a turn without waiting, and those that follow together", async () => {
    const { streams, tell } = setUp();
    const readers = [new Reader(), new Reader()];
    for (const reader of readers)
      await streams.open(
        ["t"],
        () => reader,
        () => true,
      );
    tell("first");
    await new Promise(setImmediate);
    for (const { text } of readers) assert.match(text, /"first"/);
    for (const payload of ["second", "third", "fourth"]) tell(payload);
    await readers[1]!.has("fourth");
    for (const { writes } of readers) {
      assert.equal(writes.length, 3);
      assert.match(writes[2]!, /"second".*"third".*"fourth"/s);
    }
    streams.close();
  });

  it("write what is pending when the process ends", async () => {
    const { streams, tell } = setUp();
    const reader = new Reader();
    await streams.open(
      ["t"],
      () => reader,
      () => true,
    );
    const finished = once(reader, "finish");
    tell("last");
    streams.close();
    await finished;
    assert.match(reader.text, /"last"/);
  });

  it("drop only a reader that does not read, and count it", async () => {
    const { streams, tell, listeners, dropped } = setUp();
    const [slow, quick] = [new Reader(false), new Reader()];
    for (const reader of [slow, quick])
      await streams.open(
        ["t"],
        () => reader,
        () => true,
      );
    const closed = once(slow, "close");
    for (let i = 0; i < 30; i++) tell("x".repeat(100_000));
    await closed;
    assert.equal(dropped(), 1);
    assert.equal(quick.text.match(/^id: /gm)?.length, 30);
    assert.ok(slow.writableLength < 1_300_000);
    assert.equal(listeners.size, 1);
    assert.equal(streams.size, 1);
    streams.close();
  });

  it("stop listening when the reader disconnects", async () => {
    const { streams, listeners } = setUp();
    const reader = new Reader();
    await streams.open(
      ["t"],
      () => reader,
      () => true,
    );
    reader.destroy();
    await once(reader, "close");
    assert.equal(listeners.size + streams.size, 0);
    streams.close();
  });

  it("send heartbeats, and end when the key is withdrawn", async () => {
    const { streams } = setUp(5);
    const reader = new Reader();
    let isAllowed = true;
    await streams.open(
      ["t"],
      () => reader,
      () => isAllowed,
    );
    const finished = once(reader, "finish");
    const beat = setInterval(() => {
      if (reader.text.includes(": heartbeat\n\n")) isAllowed = false;
    }, 1);
    await finished;
    clearInterval(beat);
    streams.close();
  });

  it("carry no message that arrives after the key is withdrawn, and end at it", async () => {
    const { streams, listeners, tell } = setUp();
    const [withdrawn, good] = [new Reader(), new Reader()];
    let isAllowed = true;
    await streams.open(
      ["t"],
      () => withdrawn,
      () => isAllowed,
    );
    await streams.open(
      ["t"],
      () => good,
      () => true,
    );
    tell("before");
    await withdrawn.has("before");
    isAllowed = false;
    const finished = once(withdrawn, "finish");
    for (let i = 0; i < 3; i++) tell("after");
    await Promise.all([finished, good.has("after")]);
    assert.doesNotMatch(withdrawn.text, /after/);
    assert.equal(good.text.match(/"after"/g)?.length, 3);
    assert.deepEqual([listeners.size, streams.size], [1, 1]);
    streams.close();
  });

  it("carry nothing when the key is withdrawn before the broker has granted the filter", async () => {
    const { streams, listeners } = setUp();
    const reader = new Reader();
    const finished = once(reader, "finish");
    await streams.open(
      ["t"],
      () => reader,
      () => false,
    );
    await finished;
    assert.deepEqual([reader.text, listeners.size, streams.size], ["", 0, 0]);
    streams.close();
  });

  it("end with the process", async () => {
    const { streams } = setUp();
    const reader = new Reader();
    await streams.open(
      ["t"],
      () => reader,
      () => true,
    );
    const finished = once(reader, "finish");
    streams.close();
    await finished;
  });
});
