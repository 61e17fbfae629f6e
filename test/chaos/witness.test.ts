/** The witness assigns each acknowledgement to its message, across connections, sessions and both directions. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import mqttPacket, { type Packet } from "mqtt-packet";
import type { Tap } from "./proxy.ts";
import { Witness } from "./witness.ts";

type Side = keyof Tap;

/** Opens a connection and sends CONNECT. */
function connect(witness: Witness, clientId: string, { protocolVersion = 5, clean = false } = {}) {
  const tap = witness.connection();
  const bytes = (packet: object) => mqttPacket.generate(packet as Packet, { protocolVersion });
  const say = (side: Side, ...packets: object[]) => tap[side](Buffer.concat(packets.map(bytes)));
  say("toTarget", { cmd: "connect", protocolId: "MQTT", protocolVersion, clean, clientId, keepalive: 0 });
  return { tap, say, bytes };
}

const publish = (messageId: number, payload: string, qos = 2) => {
  return { cmd: "publish", topic: "a", payload, qos, messageId, dup: false, retain: false };
};
const said = (witness: Witness, payload: string) =>
  witness.of(payload).map(({ cmd, packetId }) => `${cmd} ${packetId}`);

describe("the witness of the fault suite", () => {
  for (const protocolVersion of [4, 5]) {
    it(`follows an exchange in either direction, in protocol version ${protocolVersion}`, () => {
      const witness = new Witness();
      const { say } = connect(witness, "a", { protocolVersion });
      say("toClient", publish(1, "up"), publish(2, "other"));
      // The same identifier, used by the other side.
      say("toTarget", publish(1, "down", 1), { cmd: "pubrec", messageId: 1 });
      say("toClient", { cmd: "pubrel", messageId: 1 }, { cmd: "puback", messageId: 1 });
      say("toTarget", { cmd: "pubcomp", messageId: 1 });
      assert.deepEqual(said(witness, "up"), ["publish 1", "pubrec 1", "pubrel 1", "pubcomp 1"]);
      assert.deepEqual(said(witness, "down"), ["publish 1", "puback 1"]);
      assert.deepEqual(said(witness, "other"), ["publish 2"]);
      assert.deepEqual(witness.trouble, []);
    });
  }

  it("reads fragmented packets, and leaves the bytes unchanged", () => {
    const witness = new Witness();
    const { tap, bytes } = connect(witness, "a");
    const whole = bytes(publish(1, "up"));
    const before = Buffer.from(whole);
    for (const byte of whole) tap.toClient(Buffer.from([byte]));
    tap.toClient(whole);
    assert.deepEqual(said(witness, "up"), ["publish 1", "publish 1"]);
    assert.deepEqual(whole, before);
  });

  it("keeps identifiers on the next connection of a session, whichever bridge opens it", () => {
    const witness = new Witness();
    connect(witness, "a").say("toClient", publish(1, "up"));
    const next = connect(witness, "a");
    next.say("toClient", { cmd: "pubrel", messageId: 1 });
    next.say("toTarget", { cmd: "pubcomp", messageId: 1 });
    assert.deepEqual(said(witness, "up"), ["publish 1", "pubrel 1", "pubcomp 1"]);
  });

  it("does not carry identifiers over into another or a clean session", () => {
    const witness = new Witness();
    connect(witness, "a").say("toClient", publish(1, "up"));
    connect(witness, "b").say("toTarget", { cmd: "pubrec", messageId: 1 });
    connect(witness, "a", { clean: true }).say("toTarget", { cmd: "pubrec", messageId: 1 });
    assert.deepEqual(said(witness, "up"), ["publish 1"]);
  });

  it("reads late packets of an older connection with that connection's identifiers", () => {
    const witness = new Witness();
    const old = connect(witness, "a");
    old.say("toClient", publish(1, "first", 1));
    connect(witness, "a").say("toClient", publish(1, "second", 1));
    old.say("toTarget", { cmd: "puback", messageId: 1 });
    assert.deepEqual(said(witness, "first"), ["publish 1", "puback 1"]);
    assert.deepEqual(said(witness, "second"), ["publish 1"]);
  });

  it("reports when it cannot parse further", () => {
    const witness = new Witness();
    const { tap } = connect(witness, "a");
    tap.toClient(Buffer.from([0x36, 0xff, 0xff, 0xff, 0xff, 0xff]));
    tap.toClient(Buffer.from([0x36, 0xff]));
    assert.equal(witness.trouble.length, 1);
    assert.match(witness.trouble[0]!, /cannot read the broker/);
  });
});
