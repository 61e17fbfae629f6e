/** Scripted broker: responds to each packet as a test demands and records the packets it receives. */
import { EventEmitter, once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import mqttPacket, { type IConnectPacket, type Packet, type PacketCmd } from "mqtt-packet";

/** Handles one packet. */
export type Behaviour = (packet: Packet, connection: FakeConnection) => void;

export interface FakeBroker {
  readonly url: string;
  readonly port: number;
  /** All connections that have sent CONNECT, in order. */
  readonly connections: FakeConnection[];
  /** Resolves with the connection of that number, counted from 1. */
  connection(number: number): Promise<FakeConnection>;
  close(): Promise<void>;
}

export class FakeConnection {
  readonly received: Packet[] = [];
  readonly closed: Promise<unknown>;
  readonly #arrived = new EventEmitter().setMaxListeners(0);

  constructor(
    readonly socket: Socket,
    readonly connect: IConnectPacket,
  ) {
    this.closed = once(socket, "close");
  }

  get version(): number {
    return this.connect.protocolVersion ?? 4;
  }

  /** Sends nothing once the broker has closed the connection. */
  send(...packets: Packet[]): void {
    if (this.socket.writableEnded) return;
    const bytes = packets.map((packet) => mqttPacket.generate(packet, { protocolVersion: this.version }));
    this.socket.write(Buffer.concat(bytes));
  }

  took(packet: Packet): void {
    this.received.push(packet);
    this.#arrived.emit("packet");
  }

  /** Packets of a kind received so far. */
  of<C extends PacketCmd>(cmd: C): Extract<Packet, { cmd: C }>[] {
    return this.received.filter((packet): packet is Extract<Packet, { cmd: C }> => packet.cmd === cmd);
  }

  /** Resolves with the packets of a kind once `count` of them have arrived. */
  async until<C extends PacketCmd>(cmd: C, count = 1): Promise<Extract<Packet, { cmd: C }>[]> {
    const signal = AbortSignal.timeout(8_000);
    while (this.of(cmd).length < count) await once(this.#arrived, "packet", { signal });
    return this.of(cmd);
  }

  breakOff(): void {
    this.socket.destroy();
  }
}

/** Accepts and acknowledges everything. */
export const polite: Behaviour = (packet, connection) => {
  switch (packet.cmd) {
    case "connect":
      return accept(connection);
    case "publish":
      if (packet.qos === 1) connection.send({ cmd: "puback", messageId: packet.messageId! });
      if (packet.qos === 2) connection.send({ cmd: "pubrec", messageId: packet.messageId! });
      return;
    case "pubrel":
      return connection.send({ cmd: "pubcomp", messageId: packet.messageId! });
    case "subscribe":
      return connection.send({
        cmd: "suback",
        messageId: packet.messageId!,
        granted: packet.subscriptions.map(({ qos }) => qos),
      });
    case "unsubscribe":
      return connection.send({
        cmd: "unsuback",
        messageId: packet.messageId!,
        granted: packet.unsubscriptions.map(() => 0),
      });
    case "pingreq":
      return connection.send({ cmd: "pingresp" });
  }
};

export function accept(connection: FakeConnection, properties: object = {}, sessionPresent = false): void {
  connection.send({ cmd: "connack", returnCode: 0, reasonCode: 0, sessionPresent, properties });
}

export function refuse(connection: FakeConnection, code: number): void {
  connection.send({ cmd: "connack", returnCode: code, reasonCode: code, sessionPresent: false });
  connection.socket.end();
}

/** The polite behaviour except for the given packets. */
export function politeBut(exceptions: Partial<Record<PacketCmd, Behaviour>>): Behaviour {
  return (packet, connection) => (exceptions[packet.cmd] ?? polite)(packet, connection);
}

/** Responds to SUBSCRIBE like AWS IoT Core, which announces its limits in CONNACK. */
export const modest: Behaviour = politeBut({
  connect: (_, link) => accept(link, { maximumQoS: 1, subscriptionIdentifiersAvailable: false }),
  subscribe: (packet, link) => {
    if (packet.cmd !== "subscribe") return;
    const { subscriptions, properties } = packet;
    if (properties?.subscriptionIdentifier !== undefined) return disconnect(link, 0xa1);
    if (subscriptions.length > 8) return disconnect(link, 0x97);
    if (subscriptions.every(({ qos }) => qos < 2)) polite(packet, link); // else no response is sent
  },
});

function disconnect(link: FakeConnection, reasonCode: number): void {
  link.send({ cmd: "disconnect", reasonCode });
  link.socket.end();
}

/** @param port 0 picks a free port */
export async function startFakeBroker(behaviour: Behaviour = polite, port = 0): Promise<FakeBroker> {
  const connections: FakeConnection[] = [];
  const sockets = new Set<Socket>();
  const arrived = new EventEmitter().setMaxListeners(0);
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {}); // the client may break the connection
    let connection: FakeConnection | undefined;
    const parser = mqttPacket.parser();
    parser.on("packet", (packet) => {
      if (packet.cmd === "connect") {
        connection = new FakeConnection(socket, packet);
        connections.push(connection);
      }
      connection!.took(packet);
      behaviour(packet, connection!);
      arrived.emit("packet");
    });
    socket.on("data", (bytes) => parser.parse(bytes));
  }).listen(port, "127.0.0.1");
  await once(server, "listening");
  const bound = (server.address() as AddressInfo).port;
  return {
    port: bound,
    url: `mqtt://127.0.0.1:${bound}`,
    connections,
    async connection(number) {
      const signal = AbortSignal.timeout(15_000);
      while (connections.length < number) await once(arrived, "packet", { signal });
      return connections[number - 1]!;
    },
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, "close");
    },
  };
}
