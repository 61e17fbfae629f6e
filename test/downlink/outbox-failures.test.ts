/** A failed stored message is reported to its listener, even across a restart or an outage of the store. */
import assert from "node:assert/strict";
import { it } from "node:test";
import type { Failed, PublishGate } from "../../src/downlink/stored-publish.ts";
import { ShutForGood } from "../../src/downlink/stored-publish.ts";
import { newId } from "../../src/message.ts";
import { eachStore, outgoing } from "./outbox-support.ts";

eachStore("outbox, a message that fails", (t) => {
  const { started, stop, settled } = t;
  const refuse = () => {
    t.broker.answer = ({ topic }) =>
      topic === "refused" ? { kind: "refused", reasonCode: 0x87, reason: "Not authorized" } : { kind: "sent" };
  };

  it("is reported before its state changes, until reporting succeeds, and is published once", async () => {
    refuse();
    const told: string[] = [];
    const states: string[] = [];
    const onFailed = async ({ id }: { id: string }, { error }: Failed) => {
      told.push(error);
      states.push((await outbox.get(id))!.outcome);
      if (told.length < 2) throw new Error("the store is away");
    };
    const outbox = await started({ onFailed });
    const { id } = await outbox.accept(outgoing("", { topic: "refused" }));
    const last = await outbox.accept(outgoing("last"));
    await settled(outbox, last.id);
    const error = "the broker answered 0x87: Not authorized";
    assert.deepEqual(
      [told, states],
      [
        [error, error],
        ["queued", "queued"],
      ],
    );
    assert.deepEqual(t.broker.payloads, ["", "last"]);
    assert.deepEqual(t.broker.troubles.items, ["the store is away"]);
    assert.equal((await outbox.get(id))?.error, error);
  });

  it("says whether it may have arrived", async () => {
    t.broker.answer = ({ topic }) =>
      topic === "silent" ? { kind: "timeout", afterMs: 10 } : { kind: "refused", reasonCode: 0x87, reason: "no" };
    const told: (boolean | undefined)[] = [];
    const outbox = await started({ onFailed: async (_message, { sent }) => void told.push(sent) });
    await outbox.accept(outgoing("", { topic: "silent" }));
    const last = await outbox.accept(outgoing(""));
    await settled(outbox, last.id);
    assert.deepEqual(told, [true, undefined]);
  });

  it("is reported by the next instance when this one ends first", async () => {
    refuse();
    const deaf = await started({
      onFailed: async () => {
        throw new Error("the store is away");
      },
    });
    const { id } = await deaf.accept(outgoing("", { topic: "refused" }));
    await t.broker.troubles.until(1);
    await stop(deaf);
    const told: string[] = [];
    const outbox = await started({ onFailed: async (message) => void told.push(message.id) });
    assert.equal((await settled(outbox, id)).outcome, "failed");
    assert.deepEqual(told, [id]);
  });

  it("is not published when its gate has closed for good", async () => {
    const answers: PublishGate = async () => {
      throw new ShutForGood("it has failed before");
    };
    const outbox = await started({ gates: { answers } });
    const { id } = await outbox.accept(outgoing("asks", { id: newId("req") }), { before: "answers" });
    const { outcome, error } = await settled(outbox, id);
    assert.deepEqual([outcome, error, t.broker.payloads], ["failed", "it has failed before", []]);
  });
});
