/** A version of BullMQ with other scripts makes the start fail, for each script that is rewritten. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Redis } from "ioredis";
import { CannotStartError } from "../../src/errors.ts";
import { ledgerRewrites } from "../../src/store/redis/books.ts";
import { Gate } from "../../src/store/redis/gate.ts";
import { DRAIN_REWRITES } from "../../src/store/redis/oom.ts";
import { loadScripts, rewriteScripts } from "../../src/store/redis/script-rewrites.ts";

const REWRITES = [...DRAIN_REWRITES, ...ledgerRewrites("causeway")];
const SCRIPTS = [...new Set(REWRITES.map(({ script }) => script))];

/** Loads BullMQ's scripts into a client that is never connected. @param change returns a script's text, or undefined */
async function load(change: (script: string, lua: string) => string | undefined): Promise<Map<string, string>> {
  const client = new Redis({ lazyConnect: true });
  const defined = new Map<string, string>();
  client.defineCommand = (name, { lua }) => void defined.set(name.split(":")[0]!, lua);
  rewriteScripts(client, REWRITES);
  const define = client.defineCommand;
  client.defineCommand = (name, definition) => {
    const lua = change(name.split(":")[0]!, definition.lua);
    if (lua !== undefined) define(name, { ...definition, lua });
  };
  await loadScripts(client).finally(() => client.disconnect());
  return defined;
}

const refusal = (script: string) => (error: unknown) =>
  error instanceof CannotStartError &&
  new RegExp(`^The script ${script} of bullmq \\d+\\.\\d+\\.\\d+ is not the one`).test(error.message);

describe("the rewrites of BullMQ's scripts", () => {
  it("accept the version that is installed, and change every script they name", async () => {
    const originals = new Map<string, string>();
    const defined = await load((script, lua) => {
      originals.set(script, lua);
      return lua;
    });
    for (const script of SCRIPTS) assert.notEqual(defined.get(script), originals.get(script), script);
    assert.equal(defined.get("updateProgress"), originals.get("updateProgress"));
    assert.match(defined.get("removeJob")!, /bookedBase.*'DEL', KEYS\[1\]/s, "both rewrites of one script");
  });

  for (const script of SCRIPTS) {
    const expected = REWRITES.filter((each) => each.script === script).map((each) => each.expected);
    for (const text of expected) {
      it(`refuse ${script} without ${text.source.slice(0, 40)}`, async () => {
        await assert.rejects(
          load((name, lua) => (name === script ? lua.replace(text, "local other = 1\n") : lua)),
          refusal(script),
        );
      });
    }

    it(`refuse a version without ${script}`, async () => {
      await assert.rejects(
        load((name, lua) => (name === script ? undefined : lua)),
        refusal(script),
      );
    });
  }

  it("refuse a script with the expected text twice", async () => {
    const { expected } = ledgerRewrites("causeway").find(({ script }) => script === "removeJob")!;
    await assert.rejects(
      load((name, lua) => (name === "removeJob" ? lua.replace(expected, (found) => `${found}\n${found}`) : lua)),
      refusal("removeJob"),
    );
  });

  it("include the identity check, which refuses a script that declares flags", () => {
    const client = new Redis({ lazyConnect: true });
    new Gate("causeway").guard(client);
    const flagged = { numberOfKeys: 0, lua: "#!lua flags=no-writes\nreturn 1" };
    assert.throws(() => client.defineCommand("pause:7", flagged), CannotStartError);
    client.disconnect();
  });
});
