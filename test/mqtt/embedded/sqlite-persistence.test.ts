/** Aedes' own suite for persistences, on SQLite, and what it leaves out. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Engine } from "../../../src/bullmq-sqlite/index.ts";
import type { PersistedMessage } from "../../../src/mqtt/embedded/packet-rows.ts";
import { BROKER_PROCEDURES, SqlitePersistence } from "../../../src/mqtt/embedded/sqlite-persistence.ts";
import { temporaryDirectory } from "../../support/directories.ts";
import { testModule } from "../../support/program.ts";

type Suite = (options: { test: typeof test; persistence(): Promise<SqlitePersistence>; testAsync: boolean }) => void;
const aedesSuite = createRequire(import.meta.url)("aedes-persistence/abstract") as Suite;

describe("persistence of the embedded broker on SQLite", () => {
  let engine: Engine;
  before(async () => {
    const file = join(temporaryDirectory("persistence"), "causeway.db");
    const modules = [BROKER_PROCEDURES, testModule(new URL("clear-procedures.ts", import.meta.url))];
    engine = await Engine.open({ file, modules, synchronous: "normal" });
  });
  after(() => engine.close());

  aedesSuite({
    test,
    async persistence() {
      await engine.call("test.clear");
      return new SqlitePersistence(engine);
    },
    testAsync: true,
  });
});

describe("session on SQLite", () => {
  const client = { id: "device" };
  const broker = { id: "broker-1" };
  const message = (brokerCounter: number): PersistedMessage => ({
    topic: "a/b",
    payload: Buffer.from([0, 255, brokerCounter]),
    qos: 2,
    brokerId: broker.id,
    brokerCounter,
  });

  async function open(file: string) {
    const engine = await Engine.open({ file, modules: [BROKER_PROCEDURES] });
    const persistence = new SqlitePersistence(engine);
    await persistence.setup(broker);
    return { persistence, close: () => engine.close() };
  }
  const opened = () => open(join(temporaryDirectory("persistence"), "causeway.db"));

  test("subscriptions, queue with its states, incoming messages, retained ones and the will survive a restart", async () => {
    const file = join(temporaryDirectory("persistence"), "causeway.db");
    const first = await open(file);
    await first.persistence.addSubscriptions(client, [{ topic: "a/+", qos: 2 }]);
    for (const counter of [1, 2, 3])
      await first.persistence.outgoingEnqueueCombi([{ clientId: client.id }], message(counter));
    await first.persistence.outgoingUpdate(client, { ...message(1), messageId: 7 });
    await first.persistence.outgoingUpdate(client, { ...message(2), messageId: 8 });
    await first.persistence.outgoingUpdate(client, { ...message(0), cmd: "pubrel", messageId: 7 });
    await first.persistence.incomingStorePacket(client, { ...message(9), messageId: 65_535 });
    await first.persistence.storeRetained({ ...message(4), retain: true });
    await first.persistence.putWill(client, message(5));
    await first.close();

    const { persistence, close } = await open(file);
    assert.deepEqual(await persistence.subscriptionsByTopic("a/b"), [{ clientId: client.id, topic: "a/+", qos: 2 }]);
    const queue = (await persistence.outgoingStream(client).toArray()) as PersistedMessage[];
    assert.deepEqual(
      queue.map(({ cmd, messageId, payload }) => [cmd, messageId, payload?.at(2)]),
      [
        ["pubrel", 7, undefined],
        ["publish", 8, 2],
        ["publish", undefined, 3],
      ],
    );
    assert.ok(await persistence.incomingGetPacket(client, { messageId: 65_535 }));
    const [retained] = (await persistence.createRetainedStream("a/#").toArray()) as PersistedMessage[];
    assert.deepEqual(retained!.payload, message(4).payload);
    assert.equal((await persistence.streamWill({ other: true }).toArray()).length, 1);
    await close();
  });

  test("a message that two filters match is stored once", async () => {
    const { persistence, close } = await opened();
    await persistence.addSubscriptions(
      client,
      ["a/+", "a/#"].map((topic) => ({ topic, qos: 1 })),
    );
    await persistence.outgoingEnqueueCombi(await persistence.subscriptionsByTopic("a/b"), message(1));
    assert.equal((await persistence.outgoingStream(client).toArray()).length, 1);
    await close();
  });

  test("the stream of a queue ends at the messages that were stored when it began", async () => {
    const { persistence, close } = await opened();
    const enqueue = (counter: number) => persistence.outgoingEnqueue({ clientId: client.id }, message(counter));
    // More than are read at a time.
    await Promise.all(Array.from({ length: 120 }, (_, i) => enqueue(i + 1)));
    const stream = persistence.outgoingStream(client);
    await enqueue(121);
    const queue = (await stream.toArray()) as PersistedMessage[];
    assert.deepEqual(
      queue.map(({ brokerCounter }) => brokerCounter),
      Array.from({ length: 120 }, (_, i) => i + 1),
    );
    await close();
  });

  test("a message that was removed before it is sent is stored again", async () => {
    const { persistence, close } = await opened();
    await persistence.outgoingUpdate(client, { ...message(1), messageId: 3 });
    assert.ok(await persistence.outgoingClearMessageId(client, { messageId: 3 }));
    assert.equal(await persistence.outgoingClearMessageId(client, { messageId: 3 }), undefined);
    await close();
  });

  test("leading wildcards do not match topics that begin with $, neither stored nor retained ones", async () => {
    const { persistence, close } = await opened();
    await persistence.addSubscriptions(
      client,
      ["#", "+/x", "$own/#"].map((topic) => ({ topic, qos: 1 })),
    );
    assert.deepEqual(
      (await persistence.subscriptionsByTopic("$own/x")).map(({ topic }) => topic),
      ["$own/#"],
    );
    await persistence.storeRetained({ ...message(1), topic: "$own/x" });
    await persistence.storeRetained({ ...message(2), topic: "own/x" });
    const found = async (filter: string) =>
      ((await persistence.createRetainedStream(filter).toArray()) as PersistedMessage[]).map(({ topic }) => topic);
    assert.deepEqual(await found("#"), ["own/x"]);
    assert.deepEqual(await found("$own/x/#"), ["$own/x"]);
    await close();
  });
});
