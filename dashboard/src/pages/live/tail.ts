/** The live messages of some filters: the last ones, the tree of their topics, and figures. Bounded. Pure. */
import type { CloudEvent } from "causeway-mqtt/client";
import { isInBranch, TopicTree } from "./topic-tree.ts";

export interface TailMessage {
  /** Counts the messages of this tail, from 1. */
  readonly number: number;
  readonly topic: string;
  readonly at: number;
  /** The beginning of the payload as one line. */
  readonly preview: string;
  readonly event: CloudEvent;
  /** Length of the payload's text. */
  readonly length: number;
}

export type Connection =
  | { state: "connecting" }
  | { state: "live" }
  | { state: "lost"; since: number }
  | { state: "failed"; error: Error };

export const MAX_MESSAGES = 500;
export const MAX_HISTORY = 100;
/** Characters of payloads that are kept: large ones shorten the list. */
const MAX_LENGTH = 4_000_000;
const PREVIEW = 200;
const RATE_SAMPLES = 3;

export interface TailOptions {
  /** The payload as text, exactly as the device sent it. */
  textOf(event: CloudEvent): string;
  /** Called after every change; draws later, and once for many changes. */
  onChange(): void;
  now(): number;
}

export class LiveTail {
  tree = new TopicTree();
  connection: Connection = { state: "connecting" };
  /** The last time without a connection that has ended. */
  away: { from: number; ms: number } | undefined;
  total = 0;
  /** Messages a second. */
  rate = 0;
  isPaused = false;
  /** Messages that arrived during this pause. */
  skipped = 0;
  /** Messages that were put into the list. */
  listed = 0;
  branch: string | undefined;
  #messages: TailMessage[] = [];
  #length = 0;
  #watched: { topic: string; history: TailMessage[] } | undefined;
  #samples: number[] = [];
  #countedAt: number;
  #counted = 0;

  constructor(private readonly options: TailOptions) {
    this.#countedAt = options.now();
  }

  /** The messages of the list, oldest first. Replaced now and then; read it anew for every drawing. */
  get messages(): readonly TailMessage[] {
    return this.#messages;
  }

  /** The last messages of the watched topic, oldest first. */
  get history(): readonly TailMessage[] {
    return this.#watched?.history ?? [];
  }

  add(event: CloudEvent): void {
    const text = event.data_base64 === undefined ? this.options.textOf(event) : `binary ${event.data_base64}`;
    const preview = oneLine(text);
    const topic = event.subject;
    this.total++;
    this.tree.add(topic, preview);
    const message = {
      number: this.total,
      topic,
      at: Date.parse(event.time),
      preview,
      event,
      length: text.length,
    };
    if (this.#watched?.topic === topic) this.#remember(this.#watched.history, message);
    if (this.isPaused) this.skipped++;
    else if (this.branch === undefined || isInBranch(topic, this.branch)) this.#list(message);
    this.options.onChange();
  }

  setPaused(isPaused: boolean): void {
    this.isPaused = isPaused;
    this.skipped = 0;
    this.options.onChange();
  }

  /** Restricts the list to a branch of the tree, from the messages that are in the list. */
  setBranch(branch: string | undefined): void {
    if (branch === this.branch) return;
    this.branch = branch;
    if (branch !== undefined) this.#replace(this.#messages.filter(({ topic }) => isInBranch(topic, branch)));
    this.options.onChange();
  }

  /** Keeps the last messages of one topic, beginning with those in the list. */
  watch(topic: string | undefined): void {
    if (topic === this.#watched?.topic) return;
    const history: TailMessage[] = [];
    this.#watched = topic === undefined ? undefined : { topic, history };
    for (const message of this.#messages) if (message.topic === topic) this.#remember(history, message);
  }

  clear(): void {
    this.tree = new TopicTree();
    this.total = this.listed = this.skipped = this.#counted = 0;
    this.away = undefined;
    this.#replace([]);
    if (this.#watched) this.#watched.history = [];
    this.options.onChange();
  }

  opened(): void {
    if (this.connection.state === "lost") {
      this.away = { from: this.connection.since, ms: this.options.now() - this.connection.since };
    }
    this.connection = { state: "live" };
    this.options.onChange();
  }

  lost(): void {
    if (this.connection.state === "live") this.connection = { state: "lost", since: this.options.now() };
    this.options.onChange();
  }

  failed(error: Error): void {
    this.connection = { state: "failed", error };
    this.options.onChange();
  }

  /** Computes the rates; call it about once a second. */
  tick(): void {
    const now = this.options.now();
    const seconds = (now - this.#countedAt) / 1_000;
    if (seconds <= 0) return;
    this.#samples = [...this.#samples, (this.total - this.#counted) / seconds].slice(-RATE_SAMPLES);
    this.rate = this.#samples.reduce((sum, sample) => sum + sample, 0) / this.#samples.length;
    this.tree.tick(seconds);
    this.#countedAt = now;
    this.#counted = this.total;
    this.options.onChange();
  }

  #list(message: TailMessage): void {
    this.listed++;
    this.#messages.push(message);
    this.#length += message.length;
    // Removed in blocks: shifting a list for every message would cost more than the message.
    if (this.#messages.length >= 2 * MAX_MESSAGES || this.#length > 2 * MAX_LENGTH) {
      this.#replace(lastOf(this.#messages));
    }
  }

  #replace(messages: TailMessage[]): void {
    this.#messages = messages;
    this.#length = messages.reduce((sum, { length }) => sum + length, 0);
  }

  #remember(history: TailMessage[], message: TailMessage): void {
    history.push(message);
    if (history.length >= 2 * MAX_HISTORY || message.length > MAX_LENGTH / MAX_HISTORY) {
      const kept = lastOf(history).slice(-MAX_HISTORY);
      history.splice(0, history.length, ...kept);
    }
  }
}

/** The last messages whose payloads fit, at least one. */
export function lastOf(messages: readonly TailMessage[]): TailMessage[] {
  let [from, length] = [messages.length, 0];
  while (from > 0 && messages.length - from < MAX_MESSAGES) {
    length += messages[from - 1]!.length;
    if (length > MAX_LENGTH && from < messages.length) break;
    from--;
  }
  return messages.slice(from);
}

/** The beginning of a payload, with control characters as spaces: NUL and line breaks have no place in a row. */
function oneLine(text: string): string {
  const start = text.length > PREVIEW ? `${text.slice(0, PREVIEW)}…` : text;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that are replaced
  return copy(/[\u0000-\u001f\u007f]/.test(start) ? start.replace(/[\u0000-\u001f\u007f]+/g, " ") : start);
}

/** Part of a string keeps all of it in memory: here a chunk of the stream for each topic of the tree. */
function copy(text: string): string {
  return JSON.parse(JSON.stringify(text)) as string;
}
