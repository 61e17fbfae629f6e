/**
 * Embedded broker: Aedes (MQTT 3.1.1) with its sessions, retained messages and offline queues in SQLite, so that a
 * first try needs only Node. An acknowledged message is on disk.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { Aedes, type Client } from "aedes";
import { v7 as uuidv7 } from "uuid";
import type { FindRetained, ReadSeveral, RetainedMessage } from "../../downlink/retained.ts";
import { constantTimeEqual } from "../../lib/digest.ts";
import { reasonOf } from "../../security/redaction.ts";
import type { Log } from "../client/connection.ts";
import { acknowledgeWhenStored } from "./acknowledge-stored.ts";
import {
  CONNECT_MS,
  handleWithin,
  MAX_CONNECTIONS,
  maxPacketBytes,
  refuseNull,
  Strangers,
  UNREAD_MS,
  waitFor,
} from "./broker-limits.ts";
import { orderDeliveries, orderQueues } from "./connection-deliveries.ts";
import { retainedStore } from "./retained-store.ts";
import { type BrokerFile, SqlitePersistence } from "./sqlite-persistence.ts";
import { surviveOutages } from "./survive-outages.ts";

export interface EmbeddedBrokerOptions {
  host: string;
  /** 0 picks any free port. */
  port: number;
  username?: string;
  password?: string;
  /** Stays open for as long as the broker runs; the caller closes it. */
  file: BrokerFile;
  /** The bridge's payload limit; devices may always send each other payloads of up to 1 MiB. */
  maxPayloadBytes?: number;
  log: Log;
}

export interface EmbeddedBroker {
  port: number;
  /** URL for local clients. */
  url: string;
  /** The bridge's own credentials, by which the broker recognizes it. */
  own: { username: string; password: string };
  /** False if the configured port was in use and a free one is used instead. */
  wantedPort: boolean;
  /** Reads a topic's retained message directly from the store: exact and without a network query. */
  retained(topic: string): Promise<RetainedMessage | undefined>;
  /** Finds all topics under a filter that hold a retained message, in the same way. */
  findRetained: FindRetained;
  readSeveral: ReadSeveral;
  close(): Promise<void>;
}

/** Starts the broker on an open file. Falls back to a free port if the configured one is in use. */
export async function startEmbeddedBroker(options: EmbeddedBrokerOptions): Promise<EmbeddedBroker> {
  const { host, port, file, maxPayloadBytes = 0, log } = options;
  const persistence = new SqlitePersistence(file);
  const strangers = new Strangers();
  const own = { username: "causeway", password: randomBytes(32).toString("base64url") };
  const ownClients = new WeakSet<Client>();
  const aedes = await Aedes.createBroker({
    // Offline queues are sorted by broker id and then by a counter that restarts: an id that grows with time keeps the
    // messages of an earlier run before those of this one.
    id: uuidv7(),
    persistence,
    connectTimeout: CONNECT_MS,
    drainTimeout: UNREAD_MS,
    preConnect: (client, packet, callback) => {
      strangers.delete(client.conn as Socket);
      orderDeliveries(client);
      callback(null, !packet.clientId.includes("\0")); // [MQTT-1.5.3-2], as in refuseNull
    },
    authenticate: authenticator({ own, ownClients }, options.username ?? "", options.password),
  });
  refuseNull(aedes);
  acknowledgeWhenStored(aedes, persistence);
  orderQueues(persistence, (client) => ownClients.has(client as Client));
  surviveOutages(aedes, persistence);
  aedes.on("clientDisconnect", (client) => ownClients.has(client) && persistence.held.end(client.id));
  aedes.on("clientError", (client, error) =>
    log.info({ client_id: client?.id, error: reasonOf(error) }, "broker_client_error"),
  );
  aedes.on("connectionError", (_client, error) => log.info({ error: reasonOf(error) }, "broker_connection_error"));

  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("close", () => sockets.delete(socket));
    handleWithin(aedes, socket, strangers, maxPacketBytes(maxPayloadBytes));
  });
  server.maxConnections = MAX_CONNECTIONS;
  const wantedPort = await listen(server, host, port);
  const bound = (server.address() as AddressInfo).port;
  const local = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "[::1]" : host.includes(":") ? `[${host}]` : host;

  return {
    port: bound,
    url: `mqtt://${local}:${bound}`,
    own,
    wantedPort,
    ...retainedStore(persistence),
    close: async () => {
      server.close();
      await new Promise<void>((resolve) => aedes.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function listen(server: Server, host: string, port: number): Promise<boolean> {
  const attempt = async (wanted: number) => {
    server.listen(wanted, host);
    await once(server, "listening"); // rejects on 'error'
  };
  try {
    await attempt(port);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    await attempt(0);
    return false;
  }
}

type AuthenticateClient = NonNullable<ConstructorParameters<typeof Aedes>[0]>["authenticate"];

/** @param password undefined: any client may connect */
function authenticator(
  { own, ownClients }: Pick<EmbeddedBroker, "own"> & { ownClients: WeakSet<Client> },
  username: string,
  password: string | undefined,
): AuthenticateClient {
  return (client, givenUser, givenPassword, done) => {
    const given = givenPassword?.toString() ?? "";
    const isOwn = constantTimeEqual(given, own.password);
    if (isOwn) {
      ownClients.add(client);
      waitFor(client);
    }
    if (
      isOwn ||
      password === undefined ||
      (constantTimeEqual(givenUser ?? "", username) && constantTimeEqual(given, password))
    ) {
      return done(null, true);
    }
    // CONNACK return code 4: bad user name or password (MQTT 3.1.1 section 3.2.2.3).
    done(Object.assign(new Error("bad user name or password"), { returnCode: 4 }) as never, false);
  };
}
