import assert from "node:assert/strict";
import { test } from "node:test";
import { encodePayload } from "../../../src/formats/formats.ts";
import { type Message, newId } from "../../../src/message.ts";
import { BirthMemory, type SparkplugSource } from "../../../src/uplink/formats/birth-memory.ts";
import { BirthWriter } from "../../../src/uplink/formats/birth-writer.ts";
import { isState, sparkplugTopic } from "../../../src/uplink/formats/topic.ts";
import { memoryRecords } from "../../support/memory-records.ts";

const LIMITS = { maxSources: 10, maxBirths: 2, maxMetrics: 5 };
const metric = (name: string, alias: string) => ({ name, type: 3, alias });

function create() {
  const records = memoryRecords<SparkplugSource>();
  return { records, memory: new BirthMemory(records, LIMITS) };
}

test("a message gets the names of the last BIRTH before it, also after a newer one", async () => {
  const { memory } = create();
  const [before, first, between, second, after] = Array.from({ length: 5 }, () => newId("msg"));
  // In the wrong order: two instances may write.
  await memory.add("g/n", second!, [metric("b", "1")]);
  await memory.add("g/n", first!, [metric("a", "1")]);
  const nameAt = async (id: string) => (await memory.before("g/n", id))?.byAlias.get("1")?.name;
  assert.deepEqual(await Promise.all([before!, between!, after!].map(nameAt)), [undefined, "a", "b"]);
  assert.equal(await memory.before("g/other", after!), undefined);
});

test("a BIRTH that announces the same again takes no place, and counts as the latest", async () => {
  const { records, memory } = create();
  const ids = Array.from({ length: 4 }, () => newId("msg"));
  for (const id of ids) await memory.add("g/n", id, [metric("a", "1")]);
  await memory.add("g/n", ids[1]!, [metric("a", "1")]);
  const { value } = (await records.all())[0]!;
  assert.deepEqual(value, { source: "g/n", latest: ids[3], births: [{ id: ids[0], metrics: [["a", 3, "1"]] }] });
});

test("the oldest BIRTHs make room, by number and by metrics; a BIRTH beyond the limit is not kept", async () => {
  const { records, memory } = create();
  const ids = Array.from({ length: 5 }, () => newId("msg"));
  const kept = async () => (await records.all())[0]!.value.births.map(({ id }) => ids.indexOf(id));
  for (const [i, id] of ids.slice(0, 3).entries()) await memory.add("g/n", id, [metric(`m${i}`, "1")]);
  assert.deepEqual(await kept(), [1, 2]);
  await memory.add(
    "g/n",
    ids[3]!,
    ["1", "2", "3", "4", "5"].map((alias) => metric("x", alias)),
  );
  assert.deepEqual(await kept(), [3]);
  await memory.add(
    "g/n",
    ids[4]!,
    ["1", "2", "3", "4", "5", "6"].map((alias) => metric("y", alias)),
  );
  assert.deepEqual(await kept(), [], "later messages must not get the names of an older BIRTH");
});

test("the sources whose last BIRTH is the oldest make room for new ones", async () => {
  const { records, memory } = create();
  for (let i = 0; i < 10; i++) await memory.add(`g/${i}`, newId("msg"), [metric("a", "1")]);
  await memory.add("g/0", newId("msg"), [metric("a", "1")]);
  await memory.add("g/10", newId("msg"), [metric("a", "1")]);
  const sources = (await records.all()).map(({ value }) => value.source).sort();
  assert.deepEqual(sources, ["g/0", "g/10", "g/2", "g/3", "g/4", "g/5", "g/6", "g/7", "g/8", "g/9"]);
});

function birth(topic: string, payload?: Buffer): Message {
  const bytes = encodePayload(
    "sparkplug",
    '{"metrics":[{"name":"a","alias":1,"dataType":"Int32","value":1}]}',
  ) as Uint8Array;
  return { id: newId("msg"), topic, payload: payload ?? Buffer.from(bytes), qos: 0, retain: false, receivedAt: 0 };
}

test("only BIRTHs for webhooks that decode Sparkplug are written, in order, and again after a failure", async () => {
  const added: string[] = [];
  let failures = 1;
  const writer = new BirthWriter({
    memory: {
      add: async (source) => {
        if (failures-- > 0) throw new Error("store away");
        added.push(source);
      },
    },
    webhooks: { get: (id) => (id === "wh_s" ? { payloadFormat: "sparkplug" } : {}) },
  });
  writer.note(birth("spBv1.0/g/NBIRTH/n"), ["wh_other"]);
  writer.note(birth("spBv1.0/g/NDATA/n"), ["wh_s"]);
  writer.note(birth("spBv1.0/g/DBIRTH/n"), ["wh_s"]);
  assert.equal(writer.written(), undefined);
  writer.note(birth("spBv1.0/g/NBIRTH/n"), ["wh_other", "wh_s"]);
  writer.note(birth("spBv1.0/g/NBIRTH/broken", Buffer.from("{")), ["wh_s"]);
  writer.note(birth("spBv1.0/g/DBIRTH/n/d"), ["wh_s"]);
  await assert.rejects(writer.written()!, /store away/);
  await writer.written();
  assert.deepEqual(added, ["g/n", "g/n/d"]);
  assert.equal(writer.written(), undefined);
});

test("topics of Sparkplug have the levels of the specification", () => {
  assert.deepEqual(sparkplugTopic("spBv1.0/g/DDATA/n/d"), { type: "DDATA", source: "g/n/d" });
  for (const topic of ["spBv1.0/g/NDATA/n/d", "spBv1.0/g/DDATA/n", "spBv1.0/g/toString/n", "x/g/NDATA/n", "spBv1.0/"]) {
    assert.equal(sparkplugTopic(topic), undefined, topic);
  }
  assert.deepEqual(["spBv1.0/STATE/host", "STATE/host", "spBv1.0/g/NDATA/n"].map(isState), [true, true, false]);
});
