/** A persistent session of a real MQTT.js client with held acknowledgements, at a fake broker. */
import type { TestContext } from "node:test";
import { connect, type MqttClient } from "mqtt";
import type { IPublishPacket } from "mqtt-packet";
import { Acknowledger, type Receipt, type ReceiveLimits } from "../../../src/mqtt/receive/acknowledgement.ts";
import { Incoming, type IncomingOptions } from "../../../src/mqtt/receive/incoming.ts";
import { eventually } from "../../support/eventually.ts";
import { accept, type FakeBroker, type FakeConnection, politeBut, startFakeBroker } from "../fake-broker.ts";
import { next, uniqueId } from "../support.ts";

export interface Session {
  broker: FakeBroker;
  client: MqttClient;
  acknowledger: Acknowledger;
  incoming: Incoming | undefined;
  receipts: Receipt[];
  link: FakeConnection;
  taken(count: number): Promise<void>;
  payloads(): string[];
  /** Breaks the connection and waits for the next one. */
  reconnect(): Promise<FakeConnection>;
}

interface Setting {
  version?: 4 | 5;
  limits?: Partial<ReceiveLimits>;
  sessionPresent?: boolean;
  incoming?: IncomingOptions;
}

export async function openSession(
  t: TestContext,
  { version = 5, limits, sessionPresent = true, incoming: options }: Setting = {},
) {
  const broker = await startFakeBroker(politeBut({ connect: (_, link) => accept(link, {}, sessionPresent) }));
  const receipts: Receipt[] = [];
  const incoming = options && new Incoming(options);
  const acknowledger = new Acknowledger(
    { maxPending: 10_000, maxPendingBytes: 1 << 30, ...limits },
    (receipt) => receipts.push(receipt),
    incoming,
  );
  const client = connect(broker.url, {
    ...acknowledger.clientOptions,
    clientId: uniqueId(),
    clean: false,
    protocolVersion: version,
    reconnectPeriod: 50,
    manualConnect: true,
  });
  client.on("error", () => {});
  acknowledger.attach(client);
  client.connect();
  await next(client, "connect");
  t.after(async () => {
    await client.endAsync(true);
    await broker.close();
  });
  let connections = 1;
  const session: Session = {
    broker,
    client,
    acknowledger,
    incoming,
    receipts,
    link: await broker.connection(1),
    taken: (count) =>
      eventually(
        () => receipts.length,
        (length) => length >= count,
      ).then(() => {}),
    payloads: () => receipts.map(({ packet }) => packet.payload.toString()),
    async reconnect() {
      const back = next(client, "connect");
      broker.connections.at(-1)!.breakOff();
      await back;
      return broker.connection(++connections);
    },
  };
  return session;
}

export function publish(messageId: number, options: Partial<IPublishPacket> = {}): IPublishPacket {
  return {
    cmd: "publish",
    topic: "t",
    payload: `m${messageId}`,
    qos: 1,
    dup: false,
    retain: false,
    messageId,
    ...options,
  };
}

/** Completes a round trip after everything sent before. */
export async function roundTrip({ client }: Session): Promise<void> {
  await client.unsubscribeAsync("nothing");
}
