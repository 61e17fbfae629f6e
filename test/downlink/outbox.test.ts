/** The outbox's queue on both stores: every message once and in order, through outages and restarts. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { ShutForGood } from "../../src/downlink/stored-publish.ts";
import { newId } from "../../src/message.ts";
import { scaled } from "../support/speed.ts";
import { eachStore, numbers, outgoing } from "./outbox-support.ts";

eachStore("outbox, the line", (t) => {
  const { started, stop, settled } = t;

  it("publishes an accepted message at once and records its outcome", async () => {
    const outbox = await started();
    const message = outgoing("\u0000 null", { qos: 2, retain: true, userProperties: { a: ["1", "2"] } });
    const accepted = await outbox.accept(message);
    assert.deepEqual(
      { ...accepted, acceptedAt: "" },
      {
        id: message.id,
        topic: "t",
        qos: 2,
        retain: true,
        outcome: "queued",
        acceptedAt: "",
        sendAt: null,
        expiresAt: null,
        publishedAt: null,
        noMatchingSubscribers: null,
        error: null,
      },
    );
    assert.deepEqual(await t.broker.published.until(1), [message]);
    const state = await settled(outbox, message.id);
    assert.ok(Date.parse(state.publishedAt!) >= Date.parse(accepted.acceptedAt));
    assert.deepEqual(
      { ...state, publishedAt: null },
      { ...accepted, outcome: "acknowledged", noMatchingSubscribers: false },
    );
  });

  it("waits for the broker without using up attempts, also over restarts, and keeps the order", async () => {
    t.broker.away();
    let outbox = await started();
    for (const n of numbers(20)) await outbox.accept(outgoing(n));
    // Stopping does not wait for the broker, and the message at the head stays at the head.
    for (const n of ["20", "21", "22"]) {
      const since = performance.now();
      await stop(outbox);
      assert.ok(performance.now() - since < scaled(1_000), "the stop took too long");
      outbox = await started();
      await outbox.accept(outgoing(n));
    }
    t.broker.back();
    await t.broker.published.until(23);
    assert.deepEqual(t.broker.payloads, numbers(23));
  });

  it("restarts with messages in the queue repeat nothing and skip nothing", async () => {
    t.broker.answer = async () => {
      await delay(1);
      return { kind: "acknowledged", reasonCode: 0 };
    };
    let outbox = await started();
    for (const n of numbers(120)) await outbox.accept(outgoing(n));
    for (const done of [20, 50, 51, 90]) {
      await t.broker.published.until(done);
      await stop(outbox);
      outbox = await started();
    }
    await t.broker.published.until(120);
    assert.deepEqual(t.broker.payloads, numbers(120));
  });

  it("nothing overtakes a message that is being retried", async () => {
    let tries = 0;
    t.broker.answer = ({ payload }) => {
      if (payload.toString() !== "0" || ++tries > 4) return { kind: "acknowledged", reasonCode: 0x10 };
      return tries === 4 ? { kind: "busy" } : { kind: "timeout", afterMs: 10 };
    };
    const outbox = await started();
    for (const n of numbers(3)) await outbox.accept(outgoing(n));
    await t.broker.published.until(7);
    assert.deepEqual(t.broker.payloads, ["0", "0", "0", "0", "0", "1", "2"]);
    assert.deepEqual(t.broker.troubles.items, ["timeout", "timeout", "timeout", "busy"]);
    assert.equal((await settled(outbox, t.broker.published.items[0]!.id)).noMatchingSubscribers, true);
  });

  it("a message that is refused or never acknowledged fails and lets the others pass", async () => {
    t.broker.answer = ({ topic }) => {
      if (topic === "refused") return { kind: "refused", reasonCode: 0x87, reason: "Not authorized" };
      if (topic === "silent") return { kind: "timeout", afterMs: 10 };
      return { kind: "sent" };
    };
    const outbox = await started();
    const refused = await outbox.accept(outgoing("", { topic: "refused" }));
    const silent = await outbox.accept(outgoing("", { topic: "silent" }));
    const last = await outbox.accept(outgoing("", { topic: "fine", qos: 0 }));
    assert.equal((await settled(outbox, last.id)).outcome, "sent");
    const [one, two] = [(await outbox.get(refused.id))!, (await outbox.get(silent.id))!];
    assert.deepEqual([one.outcome, one.error], ["failed", "the broker answered 0x87: Not authorized"]);
    assert.deepEqual([two.outcome, two.publishedAt], ["failed", null]);
    assert.match(two.error!, /5 times without an acknowledgement/);
  });

  it("a message at which the broker ends the connection fails, and the following ones pass in order", async () => {
    t.broker.answer = ({ topic }) =>
      topic === "poison" ? { kind: "refused", reasonCode: undefined, reason: "it hung up" } : { kind: "sent" };
    const outbox = await started();
    await outbox.accept(outgoing("a"));
    const poison = await outbox.accept(outgoing("b", { topic: "poison" }));
    const last = await outbox.accept(outgoing("c"));
    await settled(outbox, last.id);
    assert.deepEqual(t.broker.payloads, ["a", "b", "c"]);
    const { outcome, error } = (await outbox.get(poison.id))!;
    assert.deepEqual([outcome, error], ["failed", "it hung up"]);
  });

  it("a message with a gate is published when the gate has opened", async () => {
    let open = false;
    const asked: string[] = [];
    const gates = {
      answers: async ({ id }: { id: string }) => {
        asked.push(id);
        if (!open) throw new Error("not subscribed yet");
      },
    };
    const outbox = await started({ gates });
    const { id } = await outbox.accept(outgoing("asks", { id: newId("req") }), { before: "answers" });
    await outbox.accept(outgoing("behind"));
    const unknown = await outbox.accept(outgoing("unknown"), { before: "other" });
    await t.broker.troubles.until(3);
    assert.deepEqual(t.broker.payloads, []);
    open = true;
    await t.broker.published.until(2);
    assert.deepEqual(t.broker.payloads, ["asks", "behind"]);
    assert.deepEqual([...new Set(asked)], [id]);
    assert.match((await settled(outbox, unknown.id)).error!, /no gate "other"/);
    assert.equal((await outbox.get(id))?.outcome, "acknowledged");

    const troubles = t.broker.troubles.items.length;
    gates.answers = async () => {
      throw new ShutForGood("never");
    };
    const never = await outbox.accept(outgoing("never"), { before: "answers" });
    assert.equal((await settled(outbox, never.id)).error, "never");
    assert.equal(t.broker.troubles.items.length, troubles, "it is not asked again");

    gates.answers = async () => {
      throw new Error("not subscribed yet");
    };
    const shut = await outbox.accept(outgoing("shut"), { before: "answers" });
    await outbox.accept(outgoing("passes"));
    await t.broker.published.until(3);
    assert.deepEqual([t.broker.payloads[2], (await outbox.get(shut.id))?.error], ["passes", "not subscribed yet"]);
  });

  if (t.kind.shared) {
    it("two instances share one queue, and one continues where the other stops", async () => {
      const [one, two] = [await started(), await started({}, await t.opened.another!())];
      let underWay = 0;
      t.broker.answer = async () => {
        assert.equal(++underWay, 1, "two at once");
        await new Promise(setImmediate);
        underWay--;
        return { kind: "sent" };
      };
      for (const n of numbers(300)) await (Number(n) % 2 ? one : two).accept(outgoing(n));
      await t.broker.published.until(300);
      t.broker.away();
      for (const n of numbers(10)) await one.accept(outgoing(n));
      await stop(one);
      t.broker.back();
      await t.broker.published.until(310);
      assert.deepEqual(t.broker.payloads, [...numbers(300), ...numbers(10)]);
    });

    it("does not publish twice when the store goes away before the outcome is recorded", async () => {
      const outbox = await started();
      t.broker.answer = async ({ payload }) => {
        if (payload.toString() === "first") await t.opened.redis!.kill();
        return { kind: "sent" };
      };
      const first = await outbox.accept(outgoing("first"));
      await t.broker.published.until(1);
      await assert.rejects(outbox.accept(outgoing("lost")), (error) => t.opened.store.isOutage(error));
      // Longer than the lock duration of the job.
      await delay(11_000);
      await t.opened.redis!.restart();
      const second = outgoing("second");
      for (;;) {
        if (await outbox.accept(second).catch(() => undefined)) break;
        await delay(50);
      }
      await t.broker.published.until(2);
      assert.deepEqual(t.broker.payloads, ["first", "second"]);
      assert.equal((await outbox.get(first.id))?.outcome, "sent");
    });
  }
});
