/** The messages held by a stream of lines, and the split of bytes into lines. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { BatchPorts } from "../../src/downlink/batch.ts";
import { publishLines } from "../../src/downlink/batch-stream.ts";
import { NdjsonReader } from "../../src/downlink/ndjson.ts";
import fc from "../support/property.ts";

describe("publishLines", () => {
  const ports = (fields: Partial<BatchPorts> = {}): BatchPorts => ({
    faults: () => [],
    publishOne: async ({ topic }) => ({ status: 200, topic }),
    check: () => undefined,
    take: () => undefined,
    refusal: (error) => JSON.stringify(error),
    ...fields,
  });

  it("holds at most 1,000 messages, and at most 16 MiB plus one message", async () => {
    for (const [bytes, most] of [
      [20, 1_000],
      [1024 * 1024, 17],
    ] as const) {
      let started = 0;
      const line = Buffer.from(`{"topic":"${"x".repeat(bytes - 13)}"}\n`);
      const source = Readable.from(Array(3_000).fill(line));
      const publishOne = () => {
        started++;
        return new Promise<never>(() => {});
      };
      void publishLines(source, 2 ** 22, ports({ publishOne })).next();
      for (let last = -1; last !== started; await delay(50)) last = started;
      assert.equal(started, most);
    }
  });

  it("ends without an error when the source breaks off", async () => {
    async function* source() {
      yield Buffer.from('{"topic":"a"}\n');
      throw new Error("aborted");
    }
    let text = "";
    for await (const piece of publishLines(source(), 100, ports())) text += piece;
    assert.ok(text === "" || text === '{"status":200,"topic":"a"}\n');
  });

  it("counts every line but the first for the rate limit: the request itself is already counted", async () => {
    let left = 0;
    const take = () => {
      if (left-- === 0) throw Object.assign(new Error(), { toJSON: () => ({ status: 429 }) });
    };
    const source = Readable.from([Buffer.from('{"topic":"a"}\n{"topic":"b"}\n')]);
    let text = "";
    for await (const piece of publishLines(source, 100, ports({ take }))) text += piece;
    assert.equal(text, '{"status":200,"topic":"a"}\n{"status":429}\n');
  });
});

describe("Lines", () => {
  const LIMIT = 8;
  const piece = fc.constantFrom("\n", "\r\n", "\r", "a", "bcd", "12345678", "123456789", "é");

  it("yields the same lines for any chunks as a split of the whole text", () => {
    fc.assert(
      fc.property(fc.array(piece), fc.array(fc.nat(30)), (pieces, cuts) => {
        const whole = Buffer.from(pieces.join(""));
        const lines = new NdjsonReader(LIMIT);
        const found: string[] = [];
        const drain = () => {
          for (let line = lines.next(); line; line = lines.next()) {
            found.push(`${line.number} ${"tooLong" in line ? "too long" : line.bytes.toString("latin1")}`);
          }
        };
        const ends = [...cuts.map((cut) => Math.min(cut, whole.length)), whole.length].sort((a, b) => a - b);
        let at = 0;
        for (const end of ends) {
          lines.push(whole.subarray(at, end));
          at = end;
          drain();
        }
        lines.end();
        drain();
        const expected = whole
          .toString("latin1")
          .split("\n")
          .map((line) => line.replace(/\r$/, ""))
          .flatMap((line, i) => (line ? [`${i + 1} ${line.length > LIMIT ? "too long" : line}`] : []));
        assert.deepEqual(found, expected);
      }),
      { numRuns: 2_000 },
    );
  });
});
