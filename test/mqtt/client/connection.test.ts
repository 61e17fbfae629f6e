/** The broker's protocol version is detected and remembered, never guessed from an outage or a wrong password. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { freePort } from "../../support/ports.ts";
import { accept, type Behaviour, polite, politeBut, refuse, startFakeBroker } from "../fake-broker.ts";
import { connected, memoryLog, next, openConnection } from "../support.ts";

async function brokerThat(t: TestContext, connect: Behaviour, port = 0) {
  const broker = await startFakeBroker(politeBut({ connect }), port);
  t.after(() => broker.close());
  return broker;
}

const onlyOld =
  (answer: Behaviour): Behaviour =>
  (packet, link) =>
    link.version === 5 ? answer(packet, link) : accept(link);

const NO_TO_5: Record<string, Behaviour> = {
  "with CONNACK 1, as 3.1.1 writes it": (_, link) => link.socket.end(Buffer.from([0x20, 2, 0, 1])),
  "with CONNACK 132": (_, link) => refuse(link, 132),
  "by closing without CONNACK": (_, link) => link.socket.destroy(),
  "with silence": () => {},
};

describe("detection of the protocol version", { concurrency: true }, () => {
  for (const [how, answer] of Object.entries(NO_TO_5)) {
    it(`falls back to 3.1.1 where MQTT 5 is answered ${how}, and remembers it`, async (t) => {
      const broker = await brokerThat(t, onlyOld(answer));
      const connection = openConnection(t, { broker });
      await connected(connection);
      const versions = broker.connections.map(({ version }) => version);
      assert.deepEqual(versions, how.startsWith("with CONNACK") ? [5, 4] : [5, 5, 4]);
      assert.equal(connection.protocol, 4);
      for (const number of [versions.length + 1, versions.length + 2]) {
        const back = next(connection, "connect");
        broker.connections.at(-1)!.breakOff();
        await back;
        assert.equal((await broker.connection(number)).version, 4);
      }
    });
  }

  it("goes back to MQTT 5 when a broker refuses 3.1.1, which it accepted before", async (t) => {
    let upgraded = false;
    const broker = await brokerThat(t, (_, link) => {
      if ((link.version === 5) === upgraded) accept(link);
      else refuse(link, upgraded ? 1 : 132);
    });
    const connection = openConnection(t, { broker });
    await connected(connection);
    upgraded = true;
    const back = next(connection, "connect");
    broker.connections.at(-1)!.breakOff();
    await back;
    assert.equal(connection.protocol, 5);
  });

  it("keeps to MQTT 5 while the broker is away at the start", async (t) => {
    const port = await freePort();
    const log = memoryLog();
    const connection = openConnection(t, { broker: { url: `mqtt://127.0.0.1:${port}` }, log });
    await next(connection, "close");
    await next(connection, "close");
    assert.equal(connection.state, "offline");
    assert.match(connection.lastError!, /ECONNREFUSED/);
    assert.equal(
      log.lines.filter(({ level }) => level === "warn").length,
      1,
      "an outage is one line, not one an attempt",
    );
    const broker = await brokerThat(t, polite, port);
    await connected(connection);
    assert.deepEqual(
      broker.connections.map(({ version }) => version),
      [5],
    );
    assert.equal(connection.lastError, undefined);
  });

  it("keeps to MQTT 5 when the broker is away later, or closes while it starts", async (t) => {
    let starting = false;
    const broker = await brokerThat(t, (_, link) => (starting ? link.socket.destroy() : accept(link)));
    const connection = openConnection(t, { broker });
    await connected(connection);
    starting = true;
    const back = next(connection, "connect");
    broker.connections[0]!.breakOff();
    await broker.connection(3);
    starting = false;
    await back;
    assert.ok(broker.connections.every(({ version }) => version === 5));
  });

  for (const [code, reason] of [
    [134, "Bad User Name or Password"],
    [135, "Not authorized"],
    [136, "Server unavailable"],
  ] as const) {
    it(`reports CONNACK ${code} and retries with the same version`, async (t) => {
      let open = false;
      const broker = await brokerThat(t, (_, link) => (open ? accept(link) : refuse(link, code)));
      const log = memoryLog();
      const connection = openConnection(t, { broker: { url: broker.url, username: "u", password: "wrong" }, log });
      await broker.connection(3);
      assert.match(connection.lastError!, new RegExp(reason));
      assert.equal(connection.state, "offline");
      open = true;
      await connected(connection);
      assert.ok(broker.connections.every(({ version }) => version === 5));
      assert.deepEqual(broker.connections[0]!.connect.password, Buffer.from("wrong"));
      assert.equal(log.lines.filter(({ level }) => level === "warn").length, 1);
    });
  }

  it("stays with the configured version", async (t) => {
    const refusing = await brokerThat(t, (_, link) => refuse(link, link.version === 5 ? 132 : 1));
    openConnection(t, { broker: { url: refusing.url, protocol: "5" } });
    await refusing.connection(3);
    assert.deepEqual(
      refusing.connections.map(({ version }) => version),
      [5, 5, 5],
    );

    const accepting = await brokerThat(t, (_, link) => accept(link));
    const old = openConnection(t, { broker: { url: accepting.url, protocol: "3.1.1" } });
    await connected(old);
    assert.equal(old.protocol, 4);
    assert.deepEqual(
      accepting.connections.map(({ version }) => version),
      [4],
    );
  });
});

describe("CONNECT", () => {
  it("asks a broker to keep the session of a persistent connection for a week", async (t) => {
    const broker = await brokerThat(t, (_, link) => accept(link));
    const kept = openConnection(t, { broker, persistent: true, clientId: "fixed" });
    await connected(kept);
    const { clean, clientId, properties } = broker.connections[0]!.connect;
    assert.deepEqual([clean, clientId, properties?.sessionExpiryInterval], [false, "fixed", 604_800]);

    const passing = openConnection(t, { broker });
    await connected(passing);
    assert.equal(broker.connections[1]!.connect.clean, true);
    assert.equal(broker.connections[1]!.connect.properties?.sessionExpiryInterval, undefined);
  });
});

describe("closing", () => {
  it("disconnects once and does not reconnect", async (t) => {
    const broker = await brokerThat(t, (_, link) => accept(link));
    const connection = openConnection(t, { broker });
    await connected(connection);
    await Promise.all([connection.close(), connection.close()]);
    assert.equal(connection.state, "closed");
    await broker.connections[0]!.closed;
    assert.equal(broker.connections[0]!.of("disconnect").length, 1);
    // Another client connects. A reconnect of the closed client would have happened before.
    await connected(openConnection(t, { broker, clientId: "after" }));
    assert.equal(broker.connections.length, 2);
  });

  it("does not wait long for an unacknowledged publish or an unreachable broker", async (t) => {
    const broker = await startFakeBroker(politeBut({ publish: () => {} }));
    t.after(() => broker.close());
    const connection = openConnection(t, { broker });
    await connected(connection);
    connection.client.publish("t", "x", { qos: 1 });
    await broker.connections[0]!.until("publish");
    const started = Date.now();
    await connection.close(200);
    await broker.connections[0]!.closed;
    const absent = openConnection(t, { broker: { url: `mqtt://127.0.0.1:${await freePort()}` } });
    await eventually(() => absent.lastError !== undefined, "the refusal is noticed");
    await absent.close();
    assert.ok(Date.now() - started < 2_000);
  });
});
