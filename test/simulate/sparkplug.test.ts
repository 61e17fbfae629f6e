/** The edge nodes of the sectors oil-gas and energy. */
import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { sparkplugToValue } from "../../src/formats/sparkplug/decode.ts";
import { valueToSparkplug } from "../../src/formats/sparkplug/encode.ts";
import type { SimulatedClient, SimulatedMessage } from "../../src/simulate/model.ts";
import { energy } from "../../src/simulate/sectors/energy.ts";
import { oilGas } from "../../src/simulate/sectors/oil-gas.ts";
import { clientsOf, jsonOn, NOW, on, send } from "./support.ts";

interface Decoded {
  timestamp?: bigint;
  seq?: bigint;
  metrics: { name?: string; alias?: bigint; dataType?: string; value: unknown }[];
}

const decode = ({ payload }: SimulatedMessage) => sparkplugToValue(payload as Buffer) as Decoded;
const types = (messages: SimulatedMessage[]) => messages.map(({ topic }) => topic.split("/")[2]);

describe("a simulated edge node with wells", () => {
  let node: SimulatedClient;
  let names: Map<bigint, string>;
  let births: SimulatedMessage[];
  beforeEach(async () => {
    [node] = (await clientsOf(oilGas)) as [SimulatedClient];
    node.will!();
    births = node.connected(NOW);
    names = new Map(births.flatMap((birth) => decode(birth).metrics.map(({ alias, name }) => [alias!, name!])));
  });

  const command = (metrics: object[], device = "/well-1", type = "DCMD") =>
    send(node, `spBv1.0/Field/${type}/pad-1${device}`, Buffer.from(valueToSparkplug({ metrics })));
  /** Values of DDATA, by the names of the birth. */
  const values = (messages: SimulatedMessage[], device = "well-1") => {
    const { metrics } = decode(on(messages, `spBv1.0/Field/DDATA/pad-1/${device}`));
    return Object.fromEntries(metrics.map(({ alias, value }) => [names.get(alias!), value]));
  };
  const reborn = () =>
    Object.fromEntries(
      decode(on(node.connected(NOW), "spBv1.0/Field/DBIRTH/pad-1/well-1")).metrics.map(({ name, value }) => [
        name,
        value,
      ]),
    );

  it("is born with its devices, in the order of the sequence numbers", () => {
    assert.deepEqual(types(births), ["NBIRTH", "DBIRTH", "DBIRTH"]);
    assert.deepEqual(
      births.map((birth) => decode(birth).seq),
      [0n, 1n, 2n],
    );
    for (const { qos, retain } of births) assert.deepEqual([qos, retain ?? false], [0, false]);
    const [nbirth, dbirth] = births.map(decode) as [Decoded, Decoded];
    assert.ok(nbirth.metrics.some(({ name, value }) => name === "Node Control/Rebirth" && value === false));
    for (const { name, alias, dataType } of dbirth.metrics) assert.ok(name && alias && dataType);
    assert.equal(new Set(births.flatMap((birth) => decode(birth).metrics.map(({ alias }) => alias))).size, 17);
  });

  it("has a will with the number of its birth, another one for each connection", () => {
    const bdSeq = (message: SimulatedMessage) => decode(message).metrics.find(({ name }) => name === "bdSeq")!.value;
    assert.equal(bdSeq(births[0]!), 0n);
    const will = node.will!();
    assert.deepEqual([will.topic, will.qos], ["spBv1.0/Field/NDEATH/pad-1", 1]);
    assert.deepEqual([bdSeq(will), bdSeq(node.connected(NOW)[0]!), bdSeq(node.disconnecting(NOW)[0]!)], [1n, 1n, 1n]);
  });

  it("sends changed metrics by alias, without names and data types, in sequence", () => {
    const messages = node.tick(NOW);
    assert.deepEqual(types(messages), ["DDATA", "DDATA"]);
    assert.deepEqual(
      messages.map((message) => decode(message).seq),
      [3n, 4n],
    );
    for (const { name, dataType, alias } of decode(messages[0]!).metrics) {
      assert.deepEqual([name, dataType], [undefined, undefined]);
      assert.ok(names.has(alias!));
    }
    const { "Choke/Setpoint": setpoint, "Wellhead/Casing Pressure": casing } = values(messages);
    assert.equal(setpoint, undefined, "it has not changed");
    assert.equal(typeof casing, "number");
  });

  it("counts the sequence from 255 on to 0", () => {
    const sequence = Array.from({ length: 150 }, () => node.tick(NOW))
      .flat()
      .map((message) => Number(decode(message).seq));
    assert.deepEqual(sequence.slice(251, 255), [254, 255, 0, 1]);
  });

  it("moves the choke to its setpoint step by step, and the flow follows", () => {
    const before = values(node.tick(NOW));
    assert.deepEqual(values(command([{ name: "Choke/Setpoint", dataType: "Double", value: 20 }])), {
      "Choke/Setpoint": 20,
    });
    const positions = Array.from({ length: 4 }, () => values(node.tick(NOW))["Choke/Position"]);
    assert.deepEqual(positions, [50, 40, 30, 20]);
    const after = reborn();
    assert.ok((after["Flow/Oil Rate"] as number) < (before["Flow/Oil Rate"] as number) / 2);
    assert.ok((after["Wellhead/Tubing Pressure"] as number) > (before["Wellhead/Tubing Pressure"] as number));
  });

  it("takes a command by alias, for the device in the topic only", () => {
    const alias = [...names].findLast(([, name]) => name === "Choke/Setpoint")![0];
    const messages = command([{ alias, dataType: "Double", value: 35 }], "/well-2");
    assert.deepEqual(values(messages, "well-2"), { "Choke/Setpoint": 35 });
    assert.equal(reborn()["Choke/Setpoint"], 60);
  });

  it("shuts down at once when it is tripped, and opens again", () => {
    assert.deepEqual(values(command([{ name: "ESD/Trip", dataType: "Boolean", value: true }])), { "ESD/Trip": true });
    assert.deepEqual([values(node.tick(NOW))["Choke/Position"], reborn()["Flow/Gas Rate"]], [0, 0]);
    command([{ name: "ESD/Trip", dataType: "Boolean", value: false }]);
    assert.equal(values(node.tick(NOW))["Choke/Position"], 10);
  });

  it("answers an invalid value and a measured metric with the value that holds", () => {
    const answer = command([
      { name: "Choke/Setpoint", dataType: "Double", value: 101 },
      { name: "Flow/Oil Rate", dataType: "Double", value: 1_000 },
      { name: "Coffee", dataType: "Boolean", value: true },
    ]);
    const { "Flow/Oil Rate": rate, ...others } = values(answer);
    assert.deepEqual(others, { "Choke/Setpoint": 60 });
    assert.ok((rate as number) < 100);
  });

  it("is born again by a rebirth command, and by no other", () => {
    node.tick(NOW);
    const rebirth = (value: boolean) =>
      command([{ name: "Node Control/Rebirth", dataType: "Boolean", value }], "", "NCMD");
    const again = rebirth(true);
    assert.deepEqual(
      [types(again), again.map((each) => decode(each).seq)],
      [
        ["NBIRTH", "DBIRTH", "DBIRTH"],
        [0n, 1n, 2n],
      ],
    );
    assert.deepEqual(rebirth(false), []);
    assert.deepEqual(command([{ name: "ESD/Trip", dataType: "Boolean", value: true }], "/well-9"), []);
  });
});

describe("simulated energy", () => {
  it("is metered as DSMR-reader publishes it", async () => {
    const [meter] = (await clientsOf(energy)) as [SimulatedClient];
    const later = new Date(NOW.getTime() + 3_600_000);
    const [first, second] = [NOW, later].map((now) => jsonOn(meter.tick(now), "dsmr/meter-1/json"));
    assert.match(first.electricity_delivered_1, /^\d+\.\d{3}$/);
    const used = second.electricity_delivered_1 - first.electricity_delivered_1;
    assert.ok(Math.abs(used - second.electricity_currently_delivered) < 0.002);
  });

  it("flows until a breaker is opened", async () => {
    const node = (await clientsOf(energy)).at(-1)!;
    const births = node.connected(NOW);
    const feeder = decode(on(births, "spBv1.0/Grid/DBIRTH/substation-1/feeder-1"));
    assert.ok((feeder.metrics.find(({ name }) => name === "Power")!.value as number) > 0);
    const open = { metrics: [{ name: "Breaker/Closed", dataType: "Boolean", value: false }] };
    const answer = send(node, "spBv1.0/Grid/DCMD/substation-1/feeder-1", Buffer.from(valueToSparkplug(open)));
    const breaker = feeder.metrics.find(({ name }) => name === "Breaker/Closed")!;
    const [state, ...others] = decode(on(answer, "spBv1.0/Grid/DDATA/substation-1/feeder-1")).metrics;
    assert.deepEqual([state!.alias, state!.value, others], [breaker.alias, false, []]);
    node.tick(NOW);
    const power = decode(on(node.connected(NOW), "spBv1.0/Grid/DBIRTH/substation-1/feeder-1"));
    assert.deepEqual(
      power.metrics.slice(0, 2).map(({ value }) => value),
      [0, 0],
    );
  });
});
