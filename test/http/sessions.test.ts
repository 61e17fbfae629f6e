/** Sessions of several instances on one store. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { Sessions } from "../../src/http/sessions.ts";
import { ROOT } from "../../src/keys/caller.ts";
import { MemoryExpiringKeys } from "./support.ts";

function instances() {
  const clock = { ms: 0 };
  const expiringKeys = new MemoryExpiringKeys();
  const start = (firstKey = "the first key") =>
    new Sessions({ expiringKeys, callerOf: (id) => (id === "root" ? ROOT : undefined), firstKey, now: () => clock.ms });
  return { clock, expiringKeys, start };
}

it("a session is known to every instance, and to one that starts later", async () => {
  const { start } = instances();
  const [one, two] = [start(), start()];
  const { token, seconds } = await one.create("root", null);
  assert.equal(seconds, 12 * 3_600);
  for (const instance of [one, two, start()]) assert.equal((await instance.find(token))?.caller, ROOT);
});

it("a sign-out reaches the other instances within five seconds", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const { clock, expiringKeys, start } = instances();
  const [one, two] = [start(), start()];
  const { token } = await one.create("root", null);
  const { session } = (await two.find(token))!;
  assert.equal(two.isOpen(session), true);
  await one.end(token);
  assert.equal(await one.find(token), undefined);
  const pass = async (ms: number) => {
    clock.ms += ms;
    t.mock.timers.tick(ms);
    await new Promise(setImmediate);
  };
  await pass(4_999);
  assert.equal(two.isOpen(session), true);
  await pass(1);
  assert.equal(two.isOpen(session), false, "for a stream, without a call");
  assert.equal(await two.find(token), undefined);
  const { reads } = expiringKeys;
  for (let i = 0; i < 3; i++) await pass(5_000);
  assert.equal(expiringKeys.reads, reads, "an ended session is no longer read");
});

it("a session that is signed out while it is read does not open again", async () => {
  const { expiringKeys, start } = instances();
  const sessions = start();
  const { token } = await sessions.create("root", null);
  const read = expiringKeys.get.bind(expiringKeys);
  let resume = () => {};
  const held = new Promise<void>((resolve) => {
    resume = resolve;
  });
  expiringKeys.get = async (key) => {
    const value = await read(key);
    await held;
    return value;
  };
  const finding = sessions.find(token);
  await sessions.end(token);
  resume();
  assert.equal(await finding, undefined);
  assert.equal(await sessions.find(token), undefined);
});

it("a lasting request that asks no more is forgotten", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const { clock, expiringKeys, start } = instances();
  const sessions = start();
  const { token } = await sessions.create("root", null);
  sessions.isOpen((await sessions.find(token))!.session);
  for (let i = 0; i < 30; i++) {
    clock.ms += 5_000;
    t.mock.timers.tick(5_000);
  }
  assert.equal(expiringKeys.reads, 1 + 11);
});

it("a session of the first key ends when that key is replaced", async () => {
  const { start } = instances();
  const { token } = await start("the old key").create("root", null);
  assert.equal(await start("the new key").find(token), undefined);
  assert.ok(await start("the old key").find(token));
});

it("while the store is away, an open session lasts and an unknown one is an error", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const { clock, expiringKeys, start } = instances();
  const [one, two] = [start(), start()];
  const { token } = await one.create("root", null);
  const { session } = (await one.find(token))!;
  assert.equal(one.isOpen(session), true);
  expiringKeys.broken = true;
  clock.ms += 5_000;
  t.mock.timers.tick(5_000);
  await new Promise(setImmediate);
  assert.equal(one.isOpen(session), true);
  await assert.rejects(two.find(token), /the store is away/);
  clock.ms += 12 * 3_600_000;
  assert.equal(one.isOpen(session), false);
});
