/**
 * Keeps the packet identifiers of a session's QoS 2 messages in the store from PUBLISH to PUBREL, so that a repeated
 * message is recognized whichever process receives it: this one, its next run or another instance.
 *
 *     PUBLISH → write {message id} → enqueue the deliveries under that id → PUBREC → PUBREL → remove → PUBCOMP
 *
 * This is method B of the specification (MQTT 5 section 4.3.3): the message is passed on at PUBLISH. With method A, at
 * PUBREL, the store would have to keep the whole message, and everything would be written twice. Passing it on again is
 * harmless here, because adding an existing job id adds nothing; only the id must persist.
 *
 * States after a crash, and the broker's behaviour on the next connection, to any instance:
 * 1. entry not written: nothing was enqueued; PUBLISH is repeated and counts as a new message;
 * 2. entry, and none or some of the deliveries: PUBLISH is repeated, gets the same id, and the missing deliveries are
 *    added;
 * 3. all deliveries, PUBREC not sent or lost: as 2, and nothing is missing. The message may have been delivered by now;
 *    then its job is among the succeeded ones, which are kept (`KEEP_SUCCEEDED`) far longer than a session takes to
 *    resume;
 * 4. PUBREC received: PUBREL comes (again); only now is the entry removed;
 * 5. entry removed, PUBCOMP not sent or lost: PUBREL is repeated for an unknown identifier and answered with PUBCOMP.
 *    The broker must not reuse the identifier before PUBCOMP, so no entry belongs to an older message.
 * Store unavailable: the steps wait in order, nothing is acknowledged, and they are retried until the store is back.
 * Another instance is the receiver: nothing more is written (`mayWrite`), and the broker sends everything to that one.
 *
 * Entries may outlive their session, because a broker without persistence forgets it. So a PUBLISH counts as the
 * recorded message only if its content is the same and it is recognizable as a repetition: by DUP, or (Aedes repeats
 * without DUP) by a connection that resumes the session. CONNACK alone is not sufficient: RSMB and ActiveMQ resume a
 * session and deny it. A PUBLISH that is not the same message replaces the entry.
 *
 * Limit: a broker that falls back to an older state repeats completed messages, and by then the identifier may denote
 * another message with the same content.
 */

import type { IPublishPacket } from "mqtt";
import { shortDigest } from "../../lib/digest.ts";
import { AGAIN, retryForever } from "../../lib/retry-forever.ts";
import { newId } from "../../message.ts";

/** Identity of a message, the same at each repetition. */
export interface Identity {
  /** `msg_…` */
  id: string;
  /** First arrival in milliseconds since the epoch. */
  receivedAt: number;
}

export interface IncomingOptions {
  /** Entries by packet identifier. Both calls reject while the store is unavailable, and are retried. */
  entries: {
    all(): Promise<Map<number, Identity & { digest: string }>>;
    /** Resolves once the changes are durable. */
    write(entries: ReadonlyMap<number, Identity & { digest: string }>, removed: readonly number[]): Promise<void>;
  };
  /** Whether this instance is certainly the receiver; until it is, all steps wait. */
  mayWrite(): Promise<boolean>;
  /** Called at each failed attempt. */
  onFailed(error: Error): void;
}

interface Known extends Identity {
  digest: string;
  /** Connection of the last arrival; absent in entries read from the store. */
  connection?: number;
}

interface PublishStep {
  packetId: number;
  digest: string;
  receivedAt: number;
  dup: boolean;
  connection: number;
  resumed: boolean;
  end(identity: Identity): void;
}

interface ReleaseStep {
  packetId: number;
  end(): void;
}

/** Maximum number of steps in one write. */
const MAX_BATCH = 500;
const BACKOFF = { firstMs: 50, maxMs: 1_000 };

export class Incoming {
  /** The stored entries; undefined until they are read. */
  #known: Map<number, Known> | undefined;
  /** Steps in order of arrival. At most the messages in progress, and one PUBREL per identifier. */
  #steps: (PublishStep | ReleaseStep)[] = [];
  /** Waiting PUBRELs that are not followed by a PUBLISH with the same identifier. */
  readonly #releases = new Map<number, ReleaseStep>();
  #connection = 0;
  #resumed = false;
  #flushing = false;
  readonly #stop = new AbortController();

  constructor(private readonly options: IncomingOptions) {}

  /** Call at each CONNACK. Another instance may have been the receiver meanwhile: the entries are read again. */
  connected(sessionPresent: boolean): void {
    this.#connection++;
    this.#resumed = sessionPresent;
    this.#known = undefined;
  }

  /** Handles PUBLISH. Calls `end`, in order of arrival, once the identity of the message is durable. */
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

  /** Handles PUBREL. Calls `end` once the identifier is durably removed; for a repeated PUBREL only the last `end`. */
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

  /** Stops writing; waiting messages are not acknowledged, and the broker sends them again. */
  stop(): void {
    this.#stop.abort();
  }

  #add(step: PublishStep | ReleaseStep): void {
    this.#steps.push(step);
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => void this.#flush());
  }

  /** Writes one batch after the other: an identifier may occur in several of them. */
  async #flush(): Promise<void> {
    while (this.#steps.length > 0 && !this.#stop.signal.aborted) {
      // Entries read before a new CONNACK are discarded, and read again for the new connection.
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

  #apply(batch: (PublishStep | ReleaseStep)[], known: Map<number, Known>) {
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

  /** Retries until the attempt succeeds. @returns undefined if stopped before that */
  async #untilDone<T>(attempt: () => Promise<T>): Promise<T | undefined> {
    const { signal } = this.#stop;
    const onError = (error: unknown) => this.options.onFailed(error as Error);
    const once = async () => ((await this.options.mayWrite()) && !signal.aborted ? attempt() : AGAIN);
    return retryForever(once, { backoff: BACKOFF, signal, onError }).catch(() => undefined);
  }
}

/**
 * Whether the PUBLISH repeats the recorded message. While the session lasts, an identifier cannot denote another
 * message before its PUBREL. A broker that has given up the first message reuses it all the same, on one connection
 * without DUP: such a PUBLISH counts as new, because a duplicate is better than a loss.
 */
function isSame(known: Known, { digest, dup, resumed, connection }: PublishStep): boolean {
  return known.digest === digest && (dup || (resumed && known.connection !== connection));
}

/** Digest of everything that reaches a webhook, without Message Expiry Interval, which differs in a repetition. */
function digestOf({ topic, payload, properties = {} }: IPublishPacket): string {
  const { contentType, responseTopic, correlationData, userProperties } = properties;
  const head = [topic, contentType, responseTopic, correlationData?.toString("base64"), userProperties];
  return shortDigest(JSON.stringify(head), payload);
}
