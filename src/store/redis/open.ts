import { createRedisBackend, type RedisQueueBackend } from "bullmq";
import type { Redis } from "ioredis";
import { retryForever } from "../../lib/retry-forever.ts";
import { ErrorDigest, OutageLog, type StoreLog } from "../log.ts";
import { EVENT_STREAM_LENGTH, queuesOn } from "../queues.ts";
import { PING_SECONDS, type Queues, type Store, StoreConfigError } from "../store.ts";
import { ledgerRewrites, redisLedgers } from "./books.ts";
import {
  failFastClient,
  isOutage,
  patientClient,
  redactedAddress,
  subscriberClient,
  untilReady,
} from "./connection.ts";
import { redisCounters } from "./counters.ts";
import { redisDeliveryIndex } from "./delivery-index.ts";
import { indexRewrites } from "./delivery-index-scripts.ts";
import { redisExpiringKeys } from "./expiring-keys.ts";
import { Gate, isWrongStore, PROBE, probe } from "./gate.ts";
import { redisIncoming } from "./incoming.ts";
import { redisLeases } from "./leases.ts";
import { Notices } from "./notices.ts";
import { DRAIN_REWRITES, EVEN_WITHOUT_MEMORY } from "./oom.ts";
import { redisRecords } from "./records.ts";
import { script } from "./script.ts";
import { loadScripts, rewriteScripts } from "./script-rewrites.ts";
import { redisSeries } from "./series.ts";
import { checkServer, readCapacity, type ServerCheck } from "./server-check.ts";

export interface RedisStoreOptions {
  url: string;
  /** Prefix of every key, so that several independent bridges can share one Redis. */
  prefix?: string;
  log: StoreLog;
  /** Aborts the wait for an unavailable Redis, which otherwise never ends. */
  signal?: AbortSignal;
}

/** Connects, waiting until Redis is available, and refuses a Redis whose configuration would lose messages. */
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
  rewriteScripts(commands, [...DRAIN_REWRITES, ...ledgerRewrites(prefix), ...indexRewrites(prefix)]);
  const checkIdentity = (then: () => void) =>
    probe(commands).then(then, (err) => isWrongStore(err) && outage.replaced(err));
  commands.on("ready", () => void checkIdentity(() => outage.back()));
  commands.on("close", () => {
    if (!closed) outage.lost(new Error("The connection to Redis was closed."));
  });
  let closed = false;
  let identityTimer: NodeJS.Timeout | undefined;
  const close = async () => {
    closed = true;
    clearInterval(identityTimer);
    for (const client of clients) client.disconnect();
  };

  try {
    const server = await checkedServer(commands, signal);
    await untilWritable(commands, `${prefix}:c:ping`, outage, signal);
    for (const warning of server.warnings) log.warn({ store: address, warning }, "store_warning");
    const workers = open(patientClient(url));
    gate.guard(workers);
    rewriteScripts(workers, DRAIN_REWRITES);
    const subscriber = open(subscriberClient(url));
    const notices = new Notices(subscriber, log);
    await Promise.all([untilReady(workers, signal), untilReady(subscriber, signal)]);
    await Promise.all([loadScripts(commands), loadScripts(workers)]);

    const watchIdentity = () => {
      identityTimer ??= setInterval(() => {
        void checkIdentity(() => {
          if (!outage.isReplaced) return;
          outage.back();
          subscriber.disconnect(true); // The reconnect makes listeners read again what they missed.
        });
      }, PROBE_MS).unref();
    };

    const expiringKeys = redisExpiringKeys(commands, prefix);
    return {
      kind: "redis",
      ping: () => expiringKeys.put("ping", "", PING_SECONDS),
      isOutage,
      bind(identity) {
        gate.close(identity);
        watchIdentity();
      },
      records: (collection, options) => redisRecords(commands, notices, prefix, collection, options),
      expiringKeys,
      counters: redisCounters(commands, prefix),
      ledgers: redisLedgers(commands, prefix),
      deliveryIndex: redisDeliveryIndex(commands, prefix),
      incoming: (session) => redisIncoming(commands, prefix, session),
      series: redisSeries(commands, prefix),
      leases: redisLeases(commands, notices, prefix),
      queues: redisQueues({ commands, workers, prefix, server, log, outage }),
      ...{ capacity: () => readCapacity(commands, server.version), warnings: server.warnings, close },
    };
  } catch (err) {
    await close();
    throw err;
  }
}

/** Creates the first client; refuses a URL that ioredis cannot read. */
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

/** Errors that a failover may resolve, as when a replica becomes the master: the start waits for that and logs it. */
const MAY_HEAL = /^(?:READONLY|MASTERDOWN|CLUSTERDOWN|NOREPLICAS)\b/;

/** Resolves once Redis accepts a write, or refuses it for a reason that does not prevent the start of the bridge. */
async function untilWritable(commands: Redis, key: string, outage: OutageLog, signal?: AbortSignal): Promise<void> {
  const write = async () => {
    try {
      await commands.set(key, "", "EX", PING_SECONDS);
      outage.back();
    } catch (err) {
      if (err instanceof Error && err.name === "ReplyError" && !MAY_HEAL.test(err.message)) return;
      throw err;
    }
  };
  await retryForever(write, {
    backoff: { firstMs: PROBE_MS, maxMs: PROBE_MS },
    signal,
    onError: (err) => outage.lost(err),
  });
}

/** Checks the server; retries when Redis becomes unavailable between the connection and the reply. */
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

/** Probe interval: a different store may respond even without a reconnect, after FLUSHALL or behind a proxy. */
const PROBE_MS = 1_000;
const OUTAGE_NOTICED_MS = 250;
/** Pauses a queue as BullMQ's rate limit does: the counter exceeds every possible limit. */
const SET_LIMITER = `${EVEN_WITHOUT_MEMORY}redis.call('SET', KEYS[1], '${Number.MAX_SAFE_INTEGER}', 'PX', ARGV[1])`;

interface RedisQueueParts {
  commands: Redis;
  workers: Redis;
  prefix: string;
  server: ServerCheck;
  log: StoreLog;
  outage: OutageLog;
}

function redisQueues({ commands, workers, prefix, server, log, outage }: RedisQueueParts): Queues {
  const digest = new ErrorDigest(log);
  const setLimiter = script(commands, "setLimiter", 1, SET_LIMITER);
  return queuesOn<RedisQueueBackend, Redis>({
    factory(name, opts, kind) {
      const backend = createRedisBackend(name, opts, kind);
      // With `skipVersionCheck`, BullMQ assumes Redis 5 and scans whole lists to find a job.
      if (opts.skipVersionCheck) Object.defineProperty(backend.connection, "redisVersion", { value: server.version });
      const getJobData = backend.getJobData.bind(backend);
      backend.getJobData = async (id) => {
        const found = await getJobData(id);
        // BullMQ reads a job without a script: a job missing here may exist in the bound store.
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
      // Creating a queue then needs no reply from Redis. A queue created during an outage fails fast like every other;
      // BullMQ's own version check would leave it permanently unusable when its single INFO fails.
      skipVersionCheck: true,
      skipWaitingForReady: true,
      streams: { events: { maxLen: EVENT_STREAM_LENGTH } },
    },
    workerOptions: { connection: workers, prefix: `${prefix}:q` },
    onError(err, queue) {
      // May arrive a second late, when the bound store is back already. The shared connection reports this error.
      if (isWrongStore(err)) return;
      // While the shared connection is down, every error has the same cause, whatever its message.
      if (outage.active || commands.status !== "ready") {
        outage.lost(err);
        return;
      }
      // A worker's own connection may detect an outage a moment before the shared connection does.
      const outages = outage.count;
      setTimeout(() => {
        if (outage.count === outages) digest.report(err, queue);
      }, OUTAGE_NOTICED_MS).unref();
    },
  });
}

/**
 * Adds jobs atomically. BullMQ itself uses a pipeline on Redis: a crash leaves part of the jobs, and workers see the
 * first jobs before the last ones are added.
 */
async function addTogether(
  backend: RedisQueueBackend,
  entries: Parameters<RedisQueueBackend["addJobs"]>[0],
): Promise<string[]> {
  const [only] = entries;
  // A single job is atomic by itself, and every ioredis transaction produces 100 KB of garbage.
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
