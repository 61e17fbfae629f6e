/**
 * Embedded broker: Aedes (MQTT 3.1.1) with its sessions, retained messages and offline queues in LevelDB, so that a
 * first try needs only Node. kill -9 loses no acknowledged message.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { Aedes } from "aedes";
import openPersistence from "aedes-persistence-level";
import { v7 as uuidv7 } from "uuid";
import type { FindRetained, ReadSeveral, RetainedMessage } from "../../downlink/retained.ts";
import { CannotStartError } from "../../errors.ts";
import { constantTimeEqual } from "../../lib/digest.ts";
import { reasonOf } from "../../security/redaction.ts";
import type { Log } from "../client/connection.ts";
import { acknowledgeWhenStored } from "./acknowledge-stored.ts";
import { BrokerDatabase } from "./broker-database.ts";
import {
  CONNECT_MS,
  handleWithin,
  MAX_CONNECTIONS,
  maxPacketBytes,
  Strangers,
  UNREAD_MS,
  waitFor,
} from "./broker-limits.ts";
import { deduplicateDeliveries } from "./deduplicate-deliveries.ts";
import { retainedStore } from "./retained-store.ts";
import { mendSubscriptions } from "./stored-subscriptions.ts";

export interface EmbeddedBrokerOptions {
  host: string;
  /** 0 picks any free port. */
  port: number;
  username?: string;
  password?: string;
  dataDir: string;
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

/** Opens the broker's store and listens. Falls back to a free port if the configured one is in use. */
export async function startEmbeddedBroker(options: EmbeddedBrokerOptions): Promise<EmbeddedBroker> {
  const { host, port, dataDir, maxPayloadBytes = 0, log } = options;
  const location = join(dataDir, "broker");
  await mkdir(location, { recursive: true, mode: 0o700 });
  const database = await openDatabase(location, log);
  const persistence = openPersistence(database.level);
  await mendSubscriptions(persistence, database.level);
  const strangers = new Strangers();
  const own = { username: "causeway", password: randomBytes(32).toString("base64url") };
  const aedes = await Aedes.createBroker({
    // Offline queues are sorted by broker id and then by a counter that restarts: an id that grows with time keeps the
    // messages of an earlier run before those of this one.
    id: uuidv7(),
    persistence,
    connectTimeout: CONNECT_MS,
    drainTimeout: UNREAD_MS,
    preConnect: (client, _packet, callback) => {
      strangers.delete(client.conn as Socket);
      deduplicateDeliveries(client);
      callback(null, true);
    },
    authenticate: authenticator(own, options.username ?? "", options.password),
  });
  acknowledgeWhenStored(aedes, persistence);
  aedes.on("clientError", (client, error) =>
    log.info({ client_id: client?.id, error: reasonOf(error) }, "broker_client_error"),
  );
  aedes.on("connectionError", (_client, error) => log.info({ error: reasonOf(error) }, "broker_connection_error"));

  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    // Sessions can be neither read nor stored: refuse the connection; clients retry.
    if (!database.usable) return socket.destroy();
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("close", () => sockets.delete(socket));
    handleWithin(aedes, socket, strangers, maxPacketBytes(maxPayloadBytes));
  });
  server.maxConnections = MAX_CONNECTIONS;
  database.onLost = () => {
    for (const socket of sockets) socket.destroy();
  };
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
      await database.close();
    },
  };
}

/** Opens LevelDB. The kernel releases its lock when the process ends, so kill -9 leaves no stale lock. */
async function openDatabase(location: string, log: Log): Promise<BrokerDatabase> {
  const database = new BrokerDatabase(location, log);
  try {
    await database.level.open();
    return database;
  } catch (error) {
    const { code, message } = ((error as Error).cause ?? error) as NodeJS.ErrnoException;
    if (/no space left/i.test(message)) throw error;
    throw new CannotStartError(
      code === "LEVEL_LOCKED"
        ? `The embedded broker's data in ${location} is in use by another process: set DATA_DIR.`
        : `The embedded broker's data in ${location} cannot be opened (${message}): its files may be damaged. Restore ` +
            "DATA_DIR from a backup, or move this directory away, which ends all sessions and removes retained messages.",
      { cause: error },
    );
  }
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
function authenticator(own: EmbeddedBroker["own"], username: string, password: string | undefined): AuthenticateClient {
  return (client, givenUser, givenPassword, done) => {
    const given = givenPassword?.toString() ?? "";
    const isOwn = constantTimeEqual(given, own.password);
    if (isOwn) waitFor(client);
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
