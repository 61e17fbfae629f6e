/** Log lines have a maximum length, whatever a device puts into its topic. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import Fastify from "fastify";
import { cleanLogger, logConsole, shortened } from "../../src/ops/log.ts";

describe("a log line that is too long", () => {
  it("keeps the beginning of its texts", () => {
    const topic = "\u0001".repeat(65_535);
    const line = shortened(`${JSON.stringify({ level: 30, topic, err: { stack: "a\n".repeat(9_000) }, msg: "m" })}\n`);
    assert.ok(line.endsWith("}\n") && line.length < 16 * 1024, `${line.length}`);
    assert.equal(line.split("\n").length, 2);
    const { topic: cut, err, ...rest } = JSON.parse(line);
    assert.equal(cut, `${topic.slice(0, 1_024)}…`);
    assert.equal(err.stack.length, 1_025);
    assert.deepEqual(rest, { level: 30, msg: "m", shortened: true });
  });

  const kept = (length: number) => "x".repeat(length);
  const texts: [reason: string, text: string, then: string][] = [
    ["keeps a text of the longest length", kept(1_024), kept(1_024)],
    ["cuts a text that is one longer", kept(1_025), `${kept(1_024)}…`],
    ["keeps an empty text", "", ""],
  ];
  for (const [reason, text, then] of texts) {
    it(reason, () => {
      assert.deepEqual(JSON.parse(shortened(JSON.stringify({ deep: [{ text }], n: 1, msg: "m" }))), {
        ...{ deep: [{ text: then }], n: 1, msg: "m", shortened: true },
      });
    });
  }

  const lengths: [reason: string, length: number, whole: boolean][] = [
    ["keeps all fields up to the longest line", 16 * 1024, true],
    ["keeps only its subject one character beyond", 16 * 1024 + 1, false],
  ];
  for (const [reason, length, whole] of lengths) {
    it(reason, () => {
      const free = length - JSON.stringify({ level: 30, many: [], pad: "", msg: "m", shortened: true }).length - 1;
      const many = Array(Math.floor(free / 2)).fill(1);
      const pad = "x".repeat(free - (2 * many.length - 1));
      const line = shortened(JSON.stringify({ level: 30, many, pad, msg: "m" }));
      assert.deepEqual(["many" in JSON.parse(line), line.length === length], [whole, whole]);
    });
  }

  it("is not cut in the middle of a character", () => {
    const line = shortened(JSON.stringify({ topic: `a${"👋".repeat(20_000)}` }));
    assert.ok(JSON.parse(line).topic.isWellFormed());
  });

  it("keeps its subject when it has very many texts", () => {
    const line = shortened(JSON.stringify({ level: 40, time: "now", many: Array(5_000).fill("word"), msg: "m" }));
    assert.deepEqual(JSON.parse(line), { level: 40, time: "now", msg: "m", shortened: true });
  });
});

describe("an error in a log line", () => {
  const lines: string[] = [];
  const logger = cleanLogger("trace", { write: (line) => void lines.push(line) });
  const error = (cause?: Error) =>
    Object.assign(new TypeError("ERR unknown command 'x', with args beginning with: 'needle'", { cause }), {
      command: { name: "auth", args: ["needle"] },
    });
  const taken = () => {
    assert.ok(!lines.join().includes("needle"), lines.join());
    return lines.splice(0).map((line) => JSON.parse(line));
  };

  it("never contains an argument, however it is logged", () => {
    logger.error(error());
    logger.error({ err: error() }, "m");
    logger.error({ error: error(error()), cause: { deep: [error()] } }, "%s", error().message);
    logger.child({ a: 1 }).warn({ err: error() }, "m");
    logger.info("a text, with args beginning with: needle");
    const [bare, named] = taken();
    assert.deepEqual([bare.err.type, bare.msg], ["TypeError", "ERR unknown command 'x'"]);
    assert.deepEqual([named.err.type, named.err.message, named.msg], ["TypeError", "ERR unknown command 'x'", "m"]);
  });

  it("of Fastify has the same form", async () => {
    const app = Fastify({ loggerInstance: logger });
    app.get("/", (request) => {
      request.log.error({ err: error() }, "m");
      throw error();
    });
    await app.inject("/");
    await app.close();
    const [type] = taken().flatMap(({ err }) => err?.type ?? []);
    assert.equal(type, "TypeError");
  });

  it("written to the console by a package has the same form", () => {
    const kept = { ...console };
    try {
      logConsole({ logger, wide: () => undefined, flush: () => undefined, close: () => undefined });
      console.error("[ioredis] Unhandled error event:", error(), { needle: 1 });
    } finally {
      Object.assign(console, kept);
    }
    const [{ msg, text }] = taken();
    assert.equal(msg, "console");
    assert.match(text, /^\[ioredis\] Unhandled error event: ERR unknown command 'x'/);
  });
});
