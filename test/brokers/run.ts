/**
 * `npm run test:brokers [-- --only id,… | --write]`: every scenario on every broker, and the table of docs/brokers.md.
 * `--write` updates the table with the results; otherwise a difference fails.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { expected, unknownTitles } from "./expected.ts";
import { activemq } from "./kinds/activemq.ts";
import { embedded } from "./kinds/embedded.ts";
import type { BrokerKind } from "./kinds/kind.ts";
import { mosca } from "./kinds/mosca.ts";
import { mosquitto } from "./kinds/mosquitto.ts";
import { rabbitmq } from "./kinds/rabbitmq.ts";
import { connect } from "./scenarios/connect.ts";
import { downlink } from "./scenarios/downlink.ts";
import { faults } from "./scenarios/faults.ts";
import { instances } from "./scenarios/instances.ts";
import { retained } from "./scenarios/retained.ts";
import { uplink } from "./scenarios/uplink.ts";
import { measuredPart, parseTable, type Results, renderTable, VERSION, withMeasuredPart } from "./table.ts";
import { type Scenario, startWorld, type World } from "./world.ts";

const DOCUMENT = fileURLToPath(new URL("../../docs/brokers.md", import.meta.url));
const KINDS: BrokerKind[] = [mosquitto("5", "auto"), mosquitto("3.1.1", "3.1.1"), rabbitmq, activemq, mosca, embedded];
const SCENARIOS: Scenario[] = [...connect, ...uplink, ...downlink, ...retained, ...faults, ...instances];
const TITLES = SCENARIOS.map(({ title }) => title);
/** Number of brokers tested at once, on two cores: they mostly wait. */
const TOGETHER = 4;
/** Brokers that take the longest, so they start first. */
const SLOW = [rabbitmq, mosca, activemq];
/** RabbitMQ takes about ten seconds for each of its two starts. */
const KIND_MS = 180_000;

const { values } = parseArgs({ options: { only: { type: "string" }, write: { type: "boolean", default: false } } });
const chosen = choose(values.only);
const results: Results = new Map();

describe("brokers", { concurrency: TOGETHER }, () => {
  for (const kind of chosen.toSorted((a, b) => Number(SLOW.includes(b)) - Number(SLOW.includes(a)))) {
    describe(kind.title, { ...skipping(kind), concurrency: 1, timeout: KIND_MS }, () => {
      let world: World;
      let close = async () => {};
      const found = new Map<string, string>();
      before(async () => {
        ({ world, close } = await startWorld(kind));
        results.set(kind.title, found.set(VERSION, world.version));
      });
      after(() => close());
      for (const { title, run } of SCENARIOS) {
        it(title, async (t) => {
          try {
            found.set(title, await run(world, (measured) => t.diagnostic(`${kind.title}: ${measured}`)));
          } finally {
            await world.tidy();
          }
          if (!values.write) assert.equal(found.get(title), expected(kind.id, title));
        });
      }
    });
  }
});

it("has no expectations for unknown scenarios", () => {
  assert.deepEqual(unknownTitles(TITLES), []);
});

it(values.write ? "writes the table of docs/brokers.md" : "finds what the table of docs/brokers.md says", () => {
  const document = readFileSync(DOCUMENT, "utf8");
  const written = parseTable(measuredPart(document));
  // In the order of the brokers; columns that did not run stay unchanged.
  const columns = KINDS.map(({ title }) => {
    return [title, new Map([...(written.get(title) ?? []), ...(results.get(title) ?? [])])] as const;
  });
  if (values.write) {
    writeFileSync(DOCUMENT, withMeasuredPart(document, renderTable([VERSION, ...TITLES], new Map(columns))));
    return;
  }
  // Versions are not compared: the results are assumed to hold for other versions, too.
  const kept = KINDS.map(({ title }) => [title, written.get(title) ?? new Map()] as const);
  const renew = "renew it with: npm run test:brokers -- --write";
  assert.equal(renderTable(TITLES, new Map(columns)), renderTable(TITLES, new Map(kept)), renew);
});

function choose(only: string | undefined): BrokerKind[] {
  if (only === undefined) return KINDS;
  const wanted = only.split(",");
  const unknown = wanted.filter((id) => !KINDS.some((kind) => kind.id === id));
  if (unknown.length > 0) throw new Error(`--only: ${unknown} is none of ${KINDS.map(({ id }) => id)}`);
  return KINDS.filter(({ id }) => wanted.includes(id));
}

/** Returns the skip option. CI must not skip any broker: see `.ci/run`. */
function skipping(kind: BrokerKind): { skip: string | false } {
  const missing = kind.missing();
  if (missing.length === 0) return { skip: false };
  const reason = `not installed: ${missing.join(", ")}`;
  if (process.env.CI) throw new Error(`${kind.title}: ${reason} (CI must install it: see .ci/run)`);
  return { skip: reason };
}
