import { setTimeout as delay } from "node:timers/promises";
import { createRedisBackend, type RedisQueueBackend } from "bullmq";
import type { Redis } from "ioredis";
import { ErrorDigest, OutageLog, type StoreLog } from "../log.ts";
import { EVENT_STREAM_LENGTH, queuesOn } from "../queues.ts";
import { PING_SECONDS, type Queues, type Store, StoreConfigError } from "../store.ts";
import { keepLedgers, redisLedgers } from "./books.ts";
import {
  failFastClient,
  isOutage,
  patientClient,
  redactedAddress,
  subscriberClient,
  untilReady,
} from "./connection.ts";
import { redisCounters } from "./counters.ts";
import { redisExpiringKeys } from "./expiring-keys.ts";
import { Gate, isWrongStore, PROBE, probe } from "./gate.ts";
import { redisIncoming } from "./incoming.ts";
import { redisLeases } from "./leases.ts";
import { Notices } from "./notices.ts";
import { EVEN_WITHOUT_MEMORY, letDrain } from "./oom.ts";
import { redisRecords } from "./records.ts";
import { script } from "./script.ts";
import { checkServer, type ServerCheck } from "./server-check.ts";

export interface RedisStoreOptions {
  url: string;
  /** In front of every key, so that several bridges can share one Redis. */
  prefix?: string;
  log: StoreLog;
  /** Without it the wait for a Redis that is not there never ends. */
  signal?: AbortSignal;
}

/** Connects, waiting for Redis if need be, and refuses one that would lose messages by its configuration. */
export async function openRedisStore({ url, prefix = "causeway", log, signal }: RedisStoreOptions): Promise<Store> {
  const address = redactedAddress(url);
  const outage = new OutageLog(log, { store: address });
  const clients: Redis[] = [];
  const open = (client: Redis): Redis => {
    clients.push(client);
    client.on("error", (err) => outage.lost(err));
    return client;
  };

  const gate = new Gate(prefix);
  const commands = open(firstClient(url));
  gate.guard(commands);
  keepLedgers(commands, prefix);
  letDrain(commands);
  const look = (then: () => void) => probe(commands).then(then, (err) => isWrongStore(err) && outage.replaced(err));
  commands.on("ready", () => void look(() => outage.back()));
  commands.on("close", () => {
    if (!closed) outage.lost(new Error("The connection to Redis was closed."));
  });
  let closed = false;
  let looking: NodeJS.Timeout | undefined;
  const close = async () => {
    closed = true;
    clearInterval(looking);
    for (const client of clients) client.disconnect();
  };

  try {
    const server = await checkedServer(commands, signal);
    await untilWritable(commands, `${prefix}:c:ping`, outage, signal);
    for (const warning of server.warnings) log.warn({ store: address, warning }, "store_warning");
    const workers = open(patientClient(url));
    gate.guard(workers);
    letDrain(workers);
    const subscriber = open(subscriberClient(url));
    const notices = new Notices(subscriber, log);
    await Promise.all([untilReady(workers, signal), untilReady(subscriber, signal)]);

    const watchIdentity = () => {
      looking ??= setInterval(() => {
        void look(() => {
          if (!outage.isReplaced) return;
          outage.back();
          subscriber.disconnect(true); // What was missed meanwhile is read again when it is back.
        });
      }, LOOK_MS).unref();
    };

    const claims = redisExpiringKeys(commands, prefix);
    return {
      kind: "redis",
      ping: () => claims.put("ping", "", PING_SECONDS),
      isOutage,
      bind(identity) {
        gate.close(identity);
        watchIdentity();
      },
      records: (collection, options) => redisRecords(commands, notices, prefix, collection, options),
      expiringKeys: claims,
      counters: redisCounters(commands, prefix),
      ledgers: redisLedgers(commands, prefix),
      incoming: (lane) => redisIncoming(commands, prefix, lane),
      leases: redisLeases(commands, notices, prefix),
      queues: redisQueues({ commands, workers, prefix, server, log, outage }),
      warnings: server.warnings,
      close,
    };
  } catch (err) {
    await close();
    throw err;
  }
}

/** Refuses a URL that ioredis cannot read. */
function firstClient(url: string): Redis {
  let client: Redis;
  try {
    client = failFastClient(url);
  } catch (err) {
    throw new StoreConfigError(
      `STORE_URL cannot be read (${(err as Error).message}): encode special characters of user name and password, ` +
        "% as %25 and @ as %40.",
    );
  }
  if (client.options.keyPrefix === undefined || client.options.keyPrefix === "") return client;
  client.disconnect();
  throw new StoreConfigError("STORE_URL must not set keyPrefix: the queues cannot work with it.");
}

/** A replica may become the master, and a master may be elected: the start waits for that and says so. */
const MAY_HEAL = /^(?:READONLY|MASTERDOWN|CLUSTERDOWN|NOREPLICAS)\b/;

/** Resolves once Redis takes a write, or refuses it for another reason, without which the bridge can start. */
async function untilWritable(commands: Redis, key: string, outage: OutageLog, signal?: AbortSignal): Promise<void> {
  for (;;) {
    try {
      await commands.set(key, "", "EX", PING_SECONDS);
      return outage.back();
    } catch (err) {
      if (err instanceof Error && err.name === "ReplyError" && !MAY_HEAL.test(err.message)) return;
      outage.lost(err);
    }
    await delay(LOOK_MS, undefined, { signal });
  }
}

/** Asks again when Redis goes away between the connection and the answer. */
async function checkedServer(commands: Redis, signal?: AbortSignal): Promise<ServerCheck> {
  for (;;) {
    await untilReady(commands, signal);
    try {
      return await checkServer(commands);
    } catch (err) {
      const refused = err instanceof StoreConfigError || (err instanceof Error && err.name === "ReplyError");
      if (refused) throw err;
    }
  }
}

/** Without a new connection too, another store may answer: after FLUSHALL, or behind a proxy. */
const LOOK_MS = 1_000;
const OUTAGE_NOTICED_MS = 250;
/** As BullMQ does it: the queue has taken up more than any limit allows. */
const SET_LIMITER = `${EVEN_WITHOUT_MEMORY}redis.call('SET', KEYS[1], '${Number.MAX_SAFE_INTEGER}', 'PX', ARGV[1])`;

interface QueueParts {
  commands: Redis;
  workers: Redis;
  prefix: string;
  server: ServerCheck;
  log: StoreLog;
  outage: OutageLog;
}

function redisQueues({ commands, workers, prefix, server, log, outage }: QueueParts): Queues {
  const digest = new ErrorDigest(log);
  const setLimiter = script(commands, "setLimiter", 1, SET_LIMITER);
  return queuesOn<RedisQueueBackend, Redis>({
    factory(name, opts, kind) {
      const backend = createRedisBackend(name, opts, kind);
      // A queue made with `skipVersionCheck` takes the server for Redis 5 and scans whole lists to find a job.
      if (opts.skipVersionCheck) Object.defineProperty(backend.connection, "redisVersion", { value: server.version });
      const getJobData = backend.getJobData.bind(backend);
      backend.getJobData = async (id) => {
        const found = await getJobData(id);
        // Not a script of BullMQ's: a job that is not there may be in the right store.
        if (!found) await (await backend.connection.client).runCommand(PROBE, []);
        return found;
      };
      backend.addJobs = (entries) => addTogether(backend, entries);
      backend.setRateLimit = async (ms) => void (await setLimiter(`${prefix}:q:${name}:limiter`, ms));
      return backend;
    },
    queueOptions: {
      connection: commands,
      prefix: `${prefix}:q`,
      // Making a queue then needs no answer from Redis: one made during an outage fails fast like every other, where
      // BullMQ's own version check would leave it unusable for good when that one INFO fails.
      skipVersionCheck: true,
      skipWaitingForReady: true,
      streams: { events: { maxLen: EVENT_STREAM_LENGTH } },
    },
    workerOptions: { connection: workers, prefix: `${prefix}:q` },
    onError(err, queue) {
      // May be reported a second late, when the right store is back: the shared connection knows.
      if (isWrongStore(err)) return;
      // While the shared connection is down every error has the same cause, whatever it says.
      if (outage.active || commands.status !== "ready") {
        outage.lost(err);
        return;
      }
      // A worker's own connection may notice the end of Redis a moment before the shared one does.
      const outages = outage.count;
      setTimeout(() => {
        if (outage.count === outages) digest.report(err, queue);
      }, OUTAGE_NOTICED_MS).unref();
    },
  });
}

/**
 * Adds jobs all or none. BullMQ's own way on Redis is a pipeline, of which a crash leaves a part behind, and of which
 * a worker sees the first jobs before the last are there.
 */
async function addTogether(
  backend: RedisQueueBackend,
  entries: Parameters<RedisQueueBackend["addJobs"]>[0],
): Promise<string[]> {
  const [only] = entries;
  // One is atomic by itself, and every transaction of ioredis makes 100 KB of garbage.
  if (only && entries.length === 1) return [await backend.addJob(only.job, only.jobId, only.parentKeyOpts)];
  const transaction = (await backend.connection.client).multi();
  for (const { job, jobId, parentKeyOpts } of entries) {
    void backend.addJobToTransaction(transaction, job, jobId, parentKeyOpts);
  }
  const results = await transaction.exec();
  if (!results) throw new Error("the transaction was discarded");
  return results.map(([error, id]) => {
    if (error) throw error;
    return id as string;
  });
}
