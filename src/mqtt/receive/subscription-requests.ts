/**
 * Sends the SUBSCRIBE and UNSUBSCRIBE packets of one session, many at once but candidates for isolation one at a time, waits for their
 * acknowledgements, and isolates the requests at which the broker ends the connection.
 */
import type { MqttClient, Packet } from "mqtt";
import { FilterIsolation } from "./filter-isolation.ts";

/** Resolves to false if the task must be retried. */
export type Task = () => Promise<boolean>;

export interface Answer {
  error?: unknown;
  granted?: unknown;
  timedOut?: boolean;
}

export interface SubscriptionRequestsOptions {
  client(): MqttClient;
  connected(): boolean;
}

type Done = (error?: unknown, granted?: unknown, packet?: unknown) => void;

const ACK_MS = 10_000;
/** SUBSCRIBE and UNSUBSCRIBE packets in flight at once. */
const PIPELINE = 64;

export class SubscriptionRequests {
  readonly isolation = new FilterIsolation();
  /** Unanswered requests by packet identifier. */
  readonly #asked = new Map<number, { key: string; onAnswer?: ((code: number) => void) | undefined }>();
  #pinged: (() => void) | undefined;

  constructor(private readonly options: SubscriptionRequestsOptions) {}

  /** Handles answers in packet order: MQTT.js calls back only some turns of the event loop later. */
  received(packet: Packet): void {
    if (packet.cmd === "pingresp") {
      this.isolation.answered();
      this.#pinged?.();
    } else if (packet.cmd === "suback" || packet.cmd === "unsuback") {
      const asked = this.#asked.get(packet.messageId!);
      this.#asked.delete(packet.messageId!);
      if (!asked) return;
      this.isolation.answered(asked.key);
      if (packet.cmd === "suback") asked.onAnswer?.(packet.granted[0] as number);
    }
  }

  /**
   * Call when the connection has ended.
   * @param code reason code of DISCONNECT
   * @returns the request at which the broker ended it, if any
   */
  ended(code: number | undefined) {
    this.#asked.clear();
    this.#pinged?.();
    return this.isolation.ended(Date.now(), code === undefined ? undefined : `reason 0x${code.toString(16)}`);
  }

  /** Sends a request and waits for its acknowledgement. @param onAnswer called at SUBACK with its reason code */
  async ask(key: string, send: (done: Done) => void, onAnswer?: (code: number) => void): Promise<Answer> {
    const answer = this.#send(send);
    this.#asked.set(this.options.client().getLastMessageId(), { key, onAnswer });
    this.isolation.sent(key);
    const { timedOut, error } = await answer;
    // The connection is still up: the request was not answered, or not sent.
    if (timedOut || (error && this.options.connected())) this.isolation.forget(key);
    return answer;
  }

  /**
   * Runs the tasks by key, group by group: first candidates one at a time, then the others in parallel.
   * @returns whether any task must be retried
   */
  async all(groups: ReadonlyMap<string, Task>[]): Promise<boolean> {
    const planned = groups.map((tasks) => ({ tasks, ...this.isolation.plan(tasks.keys()) }));
    if (planned.some(({ alone }) => alone.length > 0) && !(await this.#ping())) return true;
    let failed = false;
    for (const { tasks, alone } of planned) failed = (await inParallel(tasks, alone, 1)) || failed;
    for (const { tasks, together } of planned) failed = (await inParallel(tasks, together, PIPELINE)) || failed;
    return failed;
  }

  /** Sends PINGREQ unless the broker has already answered on this connection. @returns whether it answers */
  async #ping(): Promise<boolean> {
    if (!this.isolation.hasAnswered) {
      await this.#send((done) => {
        this.#pinged = done;
        this.options.client().sendPing();
      });
      this.#pinged = undefined;
    }
    return this.isolation.hasAnswered && this.options.connected();
  }

  #send(call: (done: Done) => void): Promise<Answer> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve({ timedOut: true }), ACK_MS);
      call((error, granted) => {
        clearTimeout(timer);
        resolve({ error: error ?? undefined, granted });
      });
    });
  }
}

/** Runs the tasks of these keys, at most `atOnce` in parallel. @returns whether any task resolved to false or failed */
async function inParallel(tasks: ReadonlyMap<string, Task>, keys: string[], atOnce: number): Promise<boolean> {
  let failed = false;
  const work = keys.values();
  const next = async () => {
    for (const key of work) if (!(await tasks.get(key)!().catch(() => false))) failed = true;
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, keys.length) }, next));
  return failed;
}
