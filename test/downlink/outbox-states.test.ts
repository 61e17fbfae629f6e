/** States of a stored message and operations on it: schedule, expiry and withdrawal. On both stores. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { OutboxFullError } from "../../src/downlink/stored-publish.ts";
import { newId } from "../../src/message.ts";
import { eachStore, numbers, outgoing } from "./outbox-support.ts";

eachStore("outbox, the states", (t) => {
  const { started, settled } = t;

  it("a scheduled message is published when it is due, and not before", async () => {
    const outbox = await started();
    const sendAt = Date.now() + 700;
    const later = await outbox.accept(outgoing("later", { expirySeconds: 100 }), { sendAt });
    const past = await outbox.accept(outgoing("now"), { sendAt: Date.now() - 1_000 });
    assert.deepEqual([later.outcome, past.outcome], ["scheduled", "queued"]);
    assert.equal(later.sendAt, new Date(sendAt).toISOString());
    assert.equal(later.expiresAt, new Date(sendAt + 100_000).toISOString());
    assert.equal((await outbox.get(later.id))?.outcome, "scheduled");
    await t.broker.published.until(2);
    assert.deepEqual(t.broker.payloads, ["now", "later"]);
    const publishedAt = Date.parse((await settled(outbox, later.id)).publishedAt!);
    assert.ok(publishedAt >= sendAt && publishedAt < sendAt + 500, `${publishedAt - sendAt} ms late`);
    assert.equal(t.broker.published.items[1]!.expirySeconds, 100);
  });

  it("an expired message is never sent, and a message is sent with its remaining time to live", async () => {
    t.broker.away();
    const outbox = await started();
    const head = await outbox.accept(outgoing("head", { expirySeconds: 1 }));
    const second = await outbox.accept(outgoing("second", { expirySeconds: 1 }));
    const third = await outbox.accept(outgoing("third", { expirySeconds: 10 }), { expiresAt: Date.now() + 5_000 });
    assert.equal(third.expiresAt, new Date(Date.parse(third.expiresAt!)).toISOString());
    while ((await outbox.get(head.id))?.outcome === "queued") await new Promise(setImmediate);
    while ((await outbox.get(second.id))?.outcome === "queued") await new Promise(setImmediate);
    t.broker.back();
    await settled(outbox, third.id);
    assert.deepEqual(t.broker.payloads, ["third"]);
    const { expirySeconds } = t.broker.published.items[0]!;
    assert.ok(expirySeconds === 4 || expirySeconds === 5, `${expirySeconds} s`);
    assert.equal((await outbox.get(head.id))?.outcome, "expired");
  });

  it("says of a withdrawn message whether it was certainly not published", async () => {
    t.broker.away();
    const outbox = await started();
    const [head, waits] = [await outbox.accept(outgoing("head")), await outbox.accept(outgoing("waits"))];
    for (const { id } of [waits, head]) assert.equal(await outbox.withdraw(id), true);
    t.broker.back();
    const stays = await outbox.accept(outgoing("stays"));
    await settled(outbox, stays.id);
    assert.deepEqual(t.broker.payloads, ["stays"]);
    assert.equal(await outbox.withdraw(stays.id), false);
    assert.equal((await outbox.get(stays.id))?.outcome, "acknowledged");
    assert.equal(await outbox.withdraw(newId("req")), false);
  });

  it("does not send messages accepted by an older version at which brokers end the connection", async () => {
    const outbox = await started();
    const deep = await outbox.accept(outgoing("deep", { topic: Array(101).fill("t").join("/") }));
    const typed = await outbox.accept(outgoing("typed", { contentType: "a\tb" }));
    const good = await outbox.accept(outgoing("good"));
    await settled(outbox, good.id);
    assert.deepEqual(t.broker.payloads, ["good"]);
    assert.match((await outbox.get(deep.id))?.error ?? "", /^topic: .*100 levels/);
    assert.match((await outbox.get(typed.id))?.error ?? "", /^contentType: .*U\+0009/);
  });

  it("withdraws waiting and scheduled messages and the one at the head of the queue", async () => {
    t.broker.away();
    const outbox = await started();
    const head = await outbox.accept(outgoing("head"));
    const waits = await outbox.accept(outgoing("waits"));
    const scheduled = await outbox.accept(outgoing("scheduled"), { sendAt: Date.now() + 500 });
    const stays = await outbox.accept(outgoing("stays"));
    for (const { id } of [waits, scheduled, head]) {
      assert.equal(await outbox.cancel(id), "cancelled");
      assert.equal(await outbox.get(id), undefined);
      assert.equal(await outbox.cancel(id), "not_found");
    }
    t.broker.back();
    await settled(outbox, stays.id);
    assert.equal(await outbox.cancel(stays.id), "too_late");
    await outbox.accept(outgoing("end"), { sendAt: Date.parse(scheduled.sendAt!) + 1 });
    await t.broker.published.until(2);
    assert.deepEqual(t.broker.payloads, ["stays", "end"]);
  });

  it("does not withdraw a message that is being published", async () => {
    let acknowledge = () => {};
    const published = new Promise<void>((resolve) => {
      t.broker.answer = async () => {
        resolve();
        await new Promise<void>((done) => (acknowledge = done));
        return { kind: "sent" };
      };
    });
    const outbox = await started();
    const { id } = await outbox.accept(outgoing("x"));
    await published;
    const cancelled = outbox.cancel(id);
    await delay(100);
    acknowledge();
    assert.equal(await cancelled, "too_late");
    assert.equal((await settled(outbox, id)).outcome, "sent");
  });

  it("does not know other ids", async () => {
    const outbox = await started();
    for (const id of [newId("msg"), "meta", "1", "msg_", "wait", "msg_:lock"]) {
      assert.equal(await outbox.get(id), undefined);
      assert.equal(await outbox.cancel(id), "not_found");
    }
  });

  it("refuses messages above its capacity, and accepts messages again when there is room", async () => {
    t.broker.away();
    const outbox = await started({ maxWaiting: 5 });
    for (const n of numbers(5)) await outbox.accept(outgoing(n), { sendAt: Date.now() + 60_000 });
    await assert.rejects(outbox.accept(outgoing("6")), OutboxFullError);
    assert.equal(await outbox.waiting(), 5);
  });

  it("keeps a bounded number of finished messages", async () => {
    const outbox = await started({ maxKept: 10 });
    const ids: string[] = [];
    for (const n of numbers(500)) ids.push((await outbox.accept(outgoing(n))).id);
    await t.broker.published.until(500);
    const queue = t.opened.store.queues.queue("publish");
    while ((await queue.getJobCounts("completed")).completed! > 10) await new Promise(setImmediate);
    await queue.close();
    assert.equal(await outbox.get(ids[0]!), undefined);
    assert.equal((await settled(outbox, ids.at(-1)!)).outcome, "acknowledged");
  });
});
