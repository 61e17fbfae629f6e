/** Durable publishes over both stores: once, in order, in time, and what is said of them is so. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Outbox, OutboxOptions } from "../../src/downlink/outbox.ts";
import { Problem } from "../../src/errors.ts";
import { newId } from "../../src/message.ts";
import type { Store } from "../../src/store/store.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { outboxOn, outgoing, stores, TestBroker } from "./outbox-support.ts";

const problem = (code: string) => (error: unknown) => error instanceof Problem && error.code === code;
const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i));

for (const kind of stores) {
  describe(`outbox: ${kind.name}`, { ...requireOrSkip(...kind.needs), timeout: 120_000 }, () => {
    let opened: Awaited<ReturnType<typeof kind.open>>;
    let broker: TestBroker;
    const running: Outbox[] = [];
    before(async () => {
      opened = await kind.open();
    });
    after(() => opened?.close());
    beforeEach(() => {
      broker = new TestBroker();
    });
    afterEach(async () => {
      for (const outbox of running.splice(0)) await outbox.stop();
      const queue = opened.store.queues.queue("publish");
      await queue.obliterate({ force: true });
      await queue.close();
    });

    async function started(options: Partial<OutboxOptions> = {}, store: Store = opened.store): Promise<Outbox> {
      const outbox = outboxOn(store, broker, options);
      await outbox.start();
      running.push(outbox);
      return outbox;
    }

    async function stop(outbox: Outbox): Promise<void> {
      running.splice(running.indexOf(outbox), 1);
      await outbox.stop();
    }

    /** The state of a message once it is settled. */
    async function settled(outbox: Outbox, id: string) {
      for (;;) {
        const state = await outbox.get(id);
        if (state.publishedAt !== null || state.error !== null) return state;
        await new Promise(setImmediate);
      }
    }

    it("publishes at once what it accepts, and says what became of it", async () => {
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
      assert.deepEqual(await broker.published.until(1), [message]);
      const state = await settled(outbox, message.id);
      assert.ok(Date.parse(state.publishedAt!) >= Date.parse(accepted.acceptedAt));
      assert.deepEqual(
        { ...state, publishedAt: null },
        { ...accepted, outcome: "acknowledged", noMatchingSubscribers: false },
      );
    });

    it("waits for the broker without using up anything, also over restarts, and keeps the order", async () => {
      broker.away();
      let outbox = await started();
      for (const n of numbers(20)) await outbox.accept(outgoing(n));
      // A stop does not wait for the broker, and what was at the head is at the head again.
      for (const n of ["20", "21", "22"]) {
        const since = performance.now();
        await stop(outbox);
        assert.ok(performance.now() - since < 500, "the stop took too long");
        outbox = await started();
        await outbox.accept(outgoing(n));
      }
      broker.back();
      await broker.published.until(23);
      assert.deepEqual(broker.payloads, numbers(23));
    });

    it("restarts in the middle of the line repeat nothing and skip nothing", async () => {
      broker.answer = async () => {
        await delay(1);
        return { kind: "acknowledged", reasonCode: 0 };
      };
      let outbox = await started();
      for (const n of numbers(120)) await outbox.accept(outgoing(n));
      for (const done of [20, 50, 51, 90]) {
        await broker.published.until(done);
        await stop(outbox);
        outbox = await started();
      }
      await broker.published.until(120);
      assert.deepEqual(broker.payloads, numbers(120));
    });

    it("nothing overtakes a message that is tried again", async () => {
      let tries = 0;
      broker.answer = ({ payload }) => {
        if (payload.toString() !== "0" || ++tries > 4) return { kind: "acknowledged", reasonCode: 0x10 };
        return tries === 4 ? { kind: "busy" } : { kind: "timeout", afterMs: 10 };
      };
      const outbox = await started();
      for (const n of numbers(3)) await outbox.accept(outgoing(n));
      await broker.published.until(7);
      assert.deepEqual(broker.payloads, ["0", "0", "0", "0", "0", "1", "2"]);
      assert.deepEqual(broker.troubles.items, ["timeout", "timeout", "timeout", "busy"]);
      assert.equal((await settled(outbox, broker.published.items[0]!.id)).noMatchingSubscribers, true);
    });

    it("a message that is refused, or never acknowledged, fails and lets the others pass", async () => {
      broker.answer = ({ topic }) => {
        if (topic === "refused") return { kind: "refused", reasonCode: 0x87, reason: "Not authorized" };
        if (topic === "silent") return { kind: "timeout", afterMs: 10 };
        return { kind: "sent" };
      };
      const outbox = await started();
      const refused = await outbox.accept(outgoing("", { topic: "refused" }));
      const silent = await outbox.accept(outgoing("", { topic: "silent" }));
      const last = await outbox.accept(outgoing("", { topic: "fine", qos: 0 }));
      assert.equal((await settled(outbox, last.id)).outcome, "sent");
      const [one, two] = [await outbox.get(refused.id), await outbox.get(silent.id)];
      assert.deepEqual([one.outcome, one.error], ["failed", "the broker answered 0x87: Not authorized"]);
      assert.deepEqual([two.outcome, two.publishedAt], ["failed", null]);
      assert.match(two.error!, /5 times without an acknowledgement/);
    });

    it("a scheduled message goes when it is due, and not before", async () => {
      const outbox = await started();
      const sendAt = Date.now() + 700;
      const later = await outbox.accept(outgoing("later", { expirySeconds: 100 }), { sendAt });
      const past = await outbox.accept(outgoing("now"), { sendAt: Date.now() - 1_000 });
      assert.deepEqual([later.outcome, past.outcome], ["scheduled", "queued"]);
      assert.equal(later.sendAt, new Date(sendAt).toISOString());
      assert.equal(later.expiresAt, new Date(sendAt + 100_000).toISOString());
      assert.equal((await outbox.get(later.id)).outcome, "scheduled");
      await broker.published.until(2);
      assert.deepEqual(broker.payloads, ["now", "later"]);
      const publishedAt = Date.parse((await settled(outbox, later.id)).publishedAt!);
      assert.ok(publishedAt >= sendAt && publishedAt < sendAt + 500, `${publishedAt - sendAt} ms late`);
      assert.equal(broker.published.items[1]!.expirySeconds, 100);
    });

    it("what has expired is never sent, and what is left of the time goes with the message", async () => {
      broker.away();
      const outbox = await started();
      const head = await outbox.accept(outgoing("head", { expirySeconds: 1 }));
      const second = await outbox.accept(outgoing("second", { expirySeconds: 1 }));
      const third = await outbox.accept(outgoing("third", { expirySeconds: 10 }), { expiresAt: Date.now() + 5_000 });
      assert.equal(third.expiresAt, new Date(Date.parse(third.expiresAt!)).toISOString());
      while ((await outbox.get(head.id)).outcome === "queued") await new Promise(setImmediate);
      while ((await outbox.get(second.id)).outcome === "queued") await new Promise(setImmediate);
      broker.back();
      await settled(outbox, third.id);
      assert.deepEqual(broker.payloads, ["third"]);
      const { expirySeconds } = broker.published.items[0]!;
      assert.ok(expirySeconds === 4 || expirySeconds === 5, `${expirySeconds} s`);
      assert.equal((await outbox.get(head.id)).outcome, "expired");
    });

    it("takes back what waits, what is scheduled and what is at the head", async () => {
      broker.away();
      const outbox = await started();
      const head = await outbox.accept(outgoing("head"));
      const waits = await outbox.accept(outgoing("waits"));
      const scheduled = await outbox.accept(outgoing("scheduled"), { sendAt: Date.now() + 500 });
      const stays = await outbox.accept(outgoing("stays"));
      for (const { id } of [waits, scheduled, head]) {
        await outbox.cancel(id);
        await assert.rejects(outbox.get(id), problem("not_found"));
        await assert.rejects(outbox.cancel(id), problem("not_found"));
      }
      broker.back();
      await settled(outbox, stays.id);
      await assert.rejects(outbox.cancel(stays.id), problem("conflict"));
      await outbox.accept(outgoing("end"), { sendAt: Date.parse(scheduled.sendAt!) + 1 });
      await broker.published.until(2);
      assert.deepEqual(broker.payloads, ["stays", "end"]);
    });

    it("does not take back what is being published", async () => {
      let acknowledge = () => {};
      const published = new Promise<void>((resolve) => {
        broker.answer = async () => {
          resolve();
          await new Promise<void>((done) => (acknowledge = done));
          return { kind: "sent" };
        };
      });
      const outbox = await started();
      const { id } = await outbox.accept(outgoing("x"));
      await published;
      const refused = assert.rejects(outbox.cancel(id), problem("conflict"));
      await delay(100);
      acknowledge();
      await refused;
      assert.equal((await settled(outbox, id)).outcome, "sent");
    });

    it("knows nothing of other ids", async () => {
      const outbox = await started();
      for (const id of [newId("msg"), "meta", "1", "msg_", "wait", "msg_:lock"]) {
        await assert.rejects(outbox.get(id), problem("not_found"));
        await assert.rejects(outbox.cancel(id), problem("not_found"));
      }
    });

    it("refuses more than it may hold, and takes again when there is room", async () => {
      broker.away();
      const outbox = await started({ maxWaiting: 5 });
      for (const n of numbers(5)) await outbox.accept(outgoing(n), { sendAt: Date.now() + 60_000 });
      await assert.rejects(outbox.accept(outgoing("6")), (error: unknown) => {
        return problem("rate_limited")(error) && (error as Problem).headers["retry-after"] === "1";
      });
      assert.equal(await outbox.waiting(), 5);
    });

    it("a message behind a gate is published when the gate has opened", async () => {
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
      await broker.troubles.until(3);
      assert.deepEqual(broker.payloads, []);
      open = true;
      await broker.published.until(2);
      assert.deepEqual(broker.payloads, ["asks", "behind"]);
      assert.deepEqual([...new Set(asked)], [id]);
      assert.match((await settled(outbox, unknown.id)).error!, /no gate "other"/);
      assert.equal((await outbox.get(id)).outcome, "acknowledged");

      open = false;
      const shut = await outbox.accept(outgoing("shut"), { before: "answers" });
      await outbox.accept(outgoing("passes"));
      await broker.published.until(3);
      assert.deepEqual([broker.payloads[2], (await outbox.get(shut.id)).error], ["passes", "not subscribed yet"]);
    });

    if (kind.shared) {
      it("two instances make one line, and one goes on where the other stops", async () => {
        const [one, two] = [await started(), await started({}, await opened.another!())];
        let underWay = 0;
        broker.answer = async () => {
          assert.equal(++underWay, 1, "two at once");
          await new Promise(setImmediate);
          underWay--;
          return { kind: "sent" };
        };
        for (const n of numbers(300)) await (Number(n) % 2 ? one : two).accept(outgoing(n));
        await broker.published.until(300);
        broker.away();
        for (const n of numbers(10)) await one.accept(outgoing(n));
        await stop(one);
        broker.back();
        await broker.published.until(310);
        assert.deepEqual(broker.payloads, [...numbers(300), ...numbers(10)]);
      });

      it("does not publish twice when the store goes away before the end is recorded", async () => {
        const outbox = await started();
        broker.answer = async ({ payload }) => {
          if (payload.toString() === "first") await opened.redis!.kill();
          return { kind: "sent" };
        };
        const first = await outbox.accept(outgoing("first"));
        await broker.published.until(1);
        await assert.rejects(outbox.accept(outgoing("lost")), (error) => opened.store.isOutage(error));
        // Longer than the lock of the job lasts.
        await delay(11_000);
        await opened.redis!.restart();
        const second = outgoing("second");
        for (;;) {
          if (await outbox.accept(second).catch(() => undefined)) break;
          await delay(50);
        }
        await broker.published.until(2);
        assert.deepEqual(broker.payloads, ["first", "second"]);
        assert.equal((await outbox.get(first.id)).outcome, "sent");
      });
    }

    it("keeps a bounded number of what is over", async () => {
      const outbox = await started({ maxKept: 10 });
      const ids: string[] = [];
      for (const n of numbers(500)) ids.push((await outbox.accept(outgoing(n))).id);
      await broker.published.until(500);
      const queue = opened.store.queues.queue("publish");
      while ((await queue.getJobCounts("completed")).completed! > 10) await new Promise(setImmediate);
      await queue.close();
      await assert.rejects(outbox.get(ids[0]!), problem("not_found"));
      assert.equal((await settled(outbox, ids.at(-1)!)).outcome, "acknowledged");
    });
  });
}
