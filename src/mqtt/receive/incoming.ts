/**
 * What the packet identifiers of a session's QoS 2 messages stand for, kept in the store from PUBLISH to PUBREL, so that
 * a message that comes again is known whoever receives it: this process, its next run or another instance.
 *
 *     PUBLISH → write {message id} → enqueue the deliveries under that id → PUBREC → PUBREL → remove → PUBCOMP
 *
 * This is method B of the specification (MQTT 5 section 4.3.3): the message is passed on at PUBLISH. With method A,
 * at PUBREL, the store would have to keep the whole message, and everything would be written twice. Passing it on
 * again is harmless here, because adding a job id that is there already adds nothing; what must last is the id alone.
 *
 * What a crash leaves behind, and what the broker does on the next connection, wherever that is made:
 * 1. before the entry is written: nothing was enqueued; the PUBLISH comes again and is a new message;
 * 2. entry, and none or some of the deliveries: the PUBLISH comes again, gets the same id, and what is missing is added;
 * 3. all deliveries, PUBREC not sent or lost: as 2, and nothing is missing. It may have been delivered by now; then its
 *    job is among those that succeeded, which are kept (`KEEP_SUCCEEDED`) far longer than a session takes to come back;
 * 4. PUBREC received: PUBREL comes (again); only now is the entry taken away;
 * 5. entry removed, PUBCOMP not sent or lost: PUBREL comes again for an identifier that nobody knows; PUBCOMP. The
 *    broker may not use the identifier for another message before it has PUBCOMP, so no entry is of an older message.
 * The store away: the steps wait in their order, nothing is acknowledged, and they are tried until the store is back.
 * Another instance has the lane: nothing is written any more (`mayWrite`), and the broker sends all of it to that one.
 *
 * Entries may outlast the session they belong to, for a broker without persistence forgets it. So a PUBLISH counts as
 * the known message only if it holds the same and says so: by DUP, or (Aedes sends again without it) on a connection
 * that resumes the session. CONNACK's word alone is not enough: RSMB and ActiveMQ resume a session and deny it. What
 * is not the same takes the entry's place.
 *
 * Beyond reach: a broker that itself falls back to an older state sends again what was complete, and the identifier may
 * mean another message with the same contents by then.
 */
import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { IPublishPacket } from "mqtt";
import { newId } from "../../message.ts";

/** Who a message is, however often it comes. */
export interface Identity {
  /** `msg_…` */
  id: string;
  /** Milliseconds since the epoch at which it first came. */
  receivedAt: number;
}

export interface IncomingOptions {
  /** Entries by packet identifier. Both calls reject while the store is away, and are made again. */
  entries: {
    all(): Promise<Map<number, Identity & { digest: string }>>;
    /** Resolves once it is durable. */
    write(entries: ReadonlyMap<number, Identity & { digest: string }>, removed: readonly number[]): Promise<void>;
  };
  /** Whether this instance is surely the one that receives; while it is not, everything waits. */
  mayWrite(): Promise<boolean>;
  /** At each failed try. */
  onFailed(error: Error): void;
}

interface Known extends Identity {
  digest: string;
  /** The connection on which it last came; absent: another one than those of this process. */
  connection?: number;
}

interface Publish {
  packetId: number;
  digest: string;
  receivedAt: number;
  dup: boolean;
  connection: number;
  resumed: boolean;
  end(identity: Identity): void;
}

interface Release {
  packetId: number;
  end(): void;
}

/** Steps that are written together. */
const MAX_BATCH = 500;
const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 1_000;

export class Incoming {
  /** As the store has it; undefined until it is read. */
  #known: Map<number, Known> | undefined;
  /** In the order of arrival. At most the messages that are taken, and a PUBREL for each identifier. */
  #steps: (Publish | Release)[] = [];
  /** PUBRELs in the line behind which no PUBLISH with their identifier stands. */
  readonly #releases = new Map<number, Release>();
  #connection = 0;
  #resumed = false;
  #flushing = false;
  #stopped = false;

  constructor(private readonly options: IncomingOptions) {}

  /** At each CONNACK. Another instance may have had the lane meanwhile: the entries are read again. */
  connected(sessionPresent: boolean): void {
    this.#connection++;
    this.#resumed = sessionPresent;
    this.#known = undefined;
  }

  /** `end` is called, in the order of arrival, once it is durable who the message is. */
  publish(packet: IPublishPacket, end: (identity: Identity) => void): void {
    const packetId = packet.messageId!;
    this.#releases.delete(packetId);
    this.#add({
      packetId,
      digest: digestOf(packet),
      receivedAt: Date.now(),
      dup: packet.dup,
      connection: this.#connection,
      resumed: this.#resumed,
      end,
    });
  }

  /** PUBREL. `end` is called once the identifier durably stands for nothing; the last one where PUBREL came again. */
  release(packetId: number, end: () => void): void {
    const waiting = this.#releases.get(packetId);
    if (waiting) {
      waiting.end = end;
      return;
    }
    const release = { packetId, end };
    this.#releases.set(packetId, release);
    this.#add(release);
  }

  /** Nothing is written any more; what waits was not acknowledged, and the broker sends it again. */
  stop(): void {
    this.#stopped = true;
  }

  #add(step: Publish | Release): void {
    this.#steps.push(step);
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => void this.#flush());
  }

  /** One batch after the other: an identifier may stand in several of them. */
  async #flush(): Promise<void> {
    while (this.#steps.length > 0 && !this.#stopped) {
      // Whoever reads before the next CONNACK reads for this connection.
      const connection = this.#connection;
      const known = this.#known ?? (await this.#untilDone(() => this.#read()));
      if (!known) break;
      if (connection !== this.#connection) continue;
      this.#known = known;
      const batch = this.#steps.splice(0, MAX_BATCH);
      const { entries, removed, ends } = this.#apply(batch, known);
      const changes = entries.size + removed.length > 0;
      if (changes && !(await this.#untilDone(() => this.options.entries.write(entries, removed).then(() => true))))
        break;
      for (const end of ends) end();
    }
    this.#flushing = false;
  }

  #read(): Promise<Map<number, Known>> {
    return this.options.entries.all();
  }

  #apply(batch: (Publish | Release)[], known: Map<number, Known>) {
    const changed = new Set<number>();
    const ends = batch.map((step) => {
      const { packetId } = step;
      const there = known.get(packetId);
      if (!("digest" in step)) {
        if (this.#releases.get(packetId) === step) this.#releases.delete(packetId);
        if (known.delete(packetId)) changed.add(packetId);
        return () => step.end();
      }
      if (there && isSame(there, step)) {
        there.connection = step.connection;
        return () => step.end(there);
      }
      const { digest, receivedAt, connection } = step;
      const entry = { id: newId("msg"), receivedAt, digest, connection };
      known.set(packetId, entry);
      changed.add(packetId);
      return () => step.end(entry);
    });
    const entries = new Map<number, Known>();
    for (const packetId of changed) {
      const entry = known.get(packetId);
      if (entry) entries.set(packetId, { id: entry.id, receivedAt: entry.receivedAt, digest: entry.digest });
    }
    return { entries, removed: [...changed].filter((packetId) => !known.has(packetId)), ends };
  }

  /** Undefined when it was stopped before that worked. */
  async #untilDone<T>(attempt: () => Promise<T>): Promise<T | undefined> {
    for (let wait = RETRY_MIN_MS; !this.#stopped; wait = Math.min(wait * 2, RETRY_MAX_MS)) {
      try {
        if ((await this.options.mayWrite()) && !this.#stopped) return await attempt();
      } catch (error) {
        this.options.onFailed(error as Error);
      }
      await delay(wait, undefined, { ref: false });
    }
    return undefined;
  }
}

/**
 * An identifier cannot stand for another message before its PUBREL, as long as the session lasts. On one connection
 * without DUP it does all the same, at a broker that gave the first up: rather twice than not at all.
 */
function isSame(known: Known, { digest, dup, resumed, connection }: Publish): boolean {
  return known.digest === digest && (dup || (resumed && known.connection !== connection));
}

/** Of all that reaches a receiver. Message Expiry Interval is not the same the second time. */
function digestOf({ topic, payload, properties = {} }: IPublishPacket): string {
  const { contentType, responseTopic, correlationData, userProperties } = properties;
  const head = [topic, contentType, responseTopic, correlationData?.toString("base64"), userProperties];
  return createHash("sha256").update(JSON.stringify(head)).update(payload).digest("base64url").slice(0, 22);
}
