/** Consumers of a pull webhook as child processes, and the record of their steps. */
import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type Exit, startProcess, type TestProcess } from "./processes.ts";

export interface PulledEvent {
  id: string;
  topic: string;
  text: string;
  /** Only of ordered webhooks. */
  sequence?: string;
}

export interface PullerStep {
  /** `acking`: the acknowledgement is about to be sent. `acked`: it was confirmed. */
  kind: "received" | "acking" | "acked";
  /** Milliseconds of the monotonic clock. */
  at: number;
  events: PulledEvent[];
}

const PROGRAM = fileURLToPath(new URL("puller.mjs", import.meta.url));

export class Pullers {
  readonly steps: PullerStep[] = [];
  /** Distinct messages, by topic and payload. */
  readonly received = new Set<string>();
  /** Number of confirmed acknowledgements of each delivery. */
  readonly acked = new Map<string, number>();
  readonly #processes: TestProcess[];
  readonly #events = new EventEmitter();

  constructor(count: number, env: { BRIDGE: string; API_KEY: string; WEBHOOK: string; INPUT: string }) {
    this.#processes = Array.from({ length: count }, () => {
      const started = startProcess(process.execPath, [PROGRAM], { env });
      createInterface({ input: started.child.stdout! }).on("line", (line) => this.#add(started, line));
      return started;
    });
  }

  get running(): number {
    return this.#processes.length;
  }

  /** Kills the consumer that is the next one to receive deliveries, before it acknowledges them. */
  async killOne(): Promise<Exit> {
    const [puller] = (await once(this.#events, "received")) as [TestProcess];
    this.#processes.splice(this.#processes.indexOf(puller), 1);
    puller.child.kill("SIGKILL");
    return puller.exited;
  }

  async close(): Promise<void> {
    for (const { child } of this.#processes) child.kill("SIGKILL");
    await Promise.all(this.#processes.map(({ exited }) => exited));
  }

  /** Asserts that each delivery was acknowledged before its successor in the group was handed out. */
  assertOrder(groupOf: (event: PulledEvent) => string): void {
    const first = new Map<string, { received?: number; acking?: number; group: string; sequence: string }>();
    for (const { kind, at, events } of this.steps) {
      if (kind === "acked") continue;
      for (const event of events) {
        const known = first.get(event.id) ?? { group: groupOf(event), sequence: event.sequence! };
        first.set(event.id, { ...known, [kind]: Math.min(known[kind] ?? at, at) });
      }
    }
    const groups = new Map<string, { received?: number; acking?: number; sequence: string }[]>();
    for (const { group, ...delivery } of first.values()) groups.set(group, [...(groups.get(group) ?? []), delivery]);
    for (const [group, deliveries] of groups) {
      deliveries.sort((a, b) => (a.sequence < b.sequence ? -1 : 1));
      for (const [i, { sequence, received }] of deliveries.entries()) {
        if (i === 0) continue;
        const before = deliveries[i - 1]!;
        const hint = `${group}: ${sequence} was received before ${before.sequence} was acknowledged`;
        assert.ok(before.acking !== undefined && before.acking <= received!, hint);
      }
    }
  }

  #add(puller: TestProcess, line: string): void {
    const step = JSON.parse(line) as PullerStep;
    this.steps.push(step);
    for (const { id, topic, text } of step.events) {
      if (step.kind === "received") this.received.add(`${topic} ${text}`);
      if (step.kind === "acked") this.acked.set(id, (this.acked.get(id) ?? 0) + 1);
    }
    this.#events.emit(step.kind, puller);
  }
}
