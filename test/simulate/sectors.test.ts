/** Rules that hold for the devices of every sector. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { valueToSparkplug } from "../../src/formats/sparkplug/encode.ts";
import type { SimulatedClient, SimulatedMessage } from "../../src/simulate/model.ts";
import { SECTORS } from "../../src/simulate/sectors.ts";
import { matches, publishTopicError, topicFilterError } from "../../src/topic.ts";
import fc from "../support/property.ts";
import { clientsOf, NOW } from "./support.ts";

/** The clients' own names in the topics that a filter stands for. */
const topicOf = (filter: string) => filter.replaceAll("+", "1").replace("#", "1");

/** Topic and payload of the commands in the help, which publish or make a request. */
function commandsIn(examples: readonly string[]): [topic: string, payload: Buffer][] {
  return examples.map((example) => {
    const pattern = /^causeway (?:publish|request) '?([^' ]+)'? (--payload-format sparkplug )?(.+?)(?: --.*)?$/;
    const [, topic, sparkplug, argument] = pattern.exec(example)!.map((each) => each?.replaceAll("{requestId}", "r1"));
    const text = argument!.replace(/^'(.*)'$/, "$1");
    return [topic!, Buffer.from(sparkplug ? valueToSparkplug(JSON.parse(text)) : text)];
  });
}

function deliver(clients: SimulatedClient[], topic: string, payload: Buffer): SimulatedMessage[] {
  const listening = clients.filter(({ filters }) => filters.some((filter) => matches(filter, topic)));
  assert.ok(listening.length > 0, `no device listens on ${topic}`);
  return listening.flatMap((client) => client.command({ topic, payload }, NOW));
}

for (const sector of SECTORS) {
  describe(`the sector ${sector.name}`, () => {
    it("uses valid topics and filters, and different names", async () => {
      const clients = await clientsOf(sector, { devices: 7 });
      assert.equal(new Set(clients.map(({ name }) => name)).size, clients.length);
      for (const client of clients) {
        for (const filter of client.filters) assert.equal(topicFilterError(filter), undefined, filter);
        const will = client.will?.();
        const messages = [
          ...client.connected(NOW),
          ...client.tick(NOW),
          ...client.disconnecting(NOW),
          ...(will ? [will] : []),
        ];
        for (const { topic } of messages) assert.equal(publishTopicError(topic), undefined, topic);
      }
    });

    it("repeats the values of a seed, and not those of another", async () => {
      const values = async (seed: string) => {
        const clients = await clientsOf(sector, { seed, devices: 2 });
        const rounds = Array.from({ length: 12 }, () => clients.flatMap((client) => client.tick(NOW)));
        return JSON.stringify([clients.map((client) => client.connected(NOW)), rounds]);
      };
      assert.equal(await values("a"), await values("a"));
      // A support desk measures nothing.
      if (sector.name !== "messenger") assert.notEqual(await values("a"), await values("b"));
    });

    for (const [topic, payload] of commandsIn(sector.examples)) {
      it(`obeys and answers the example on ${topic}`, async () => {
        const clients = await clientsOf(sector);
        const idle = await clientsOf(sector);
        const replies = deliver(clients, topic, payload);
        // A downlink of LoRaWAN waits for the next uplink.
        const reports = (all: SimulatedClient[]) => all.flatMap((client) => client.tick(NOW)).length;
        assert.ok(replies.length > 0 || reports(clients) > reports(idle));
      });
    }

    it("survives every payload", async () => {
      const clients = await clientsOf(sector);
      const payload = fc.oneof(
        fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)),
        fc.json().map((text) => Buffer.from(text)),
        fc.constantFrom(...commandsIn(sector.examples).map(([, bytes]) => bytes)),
      );
      const filters = clients.flatMap((client) => client.filters.map((filter) => ({ client, filter })));
      const property = fc.property(fc.constantFrom(...filters), payload, ({ client, filter }, bytes) => {
        const topic = topicOf(filter);
        const replies = client.command({ topic, payload: bytes }, NOW);
        for (const reply of replies) assert.equal(publishTopicError(reply.topic), undefined, reply.topic);
        client.tick(NOW);
      });
      fc.assert(property, { numRuns: 300 });
    });

    it("names its real topics in the help", async () => {
      const clients = await clientsOf(sector);
      const filters = clients.flatMap((client) => client.filters);
      for (const [text] of sector.obeys) {
        const topic = text.split(",")[0]!.replaceAll(/\b(ID|ROOM|CUSTOMER)\b/g, "1");
        assert.ok(
          filters.some((filter) => matches(filter, topic)),
          `${topic} is none of ${filters}`,
        );
      }
    });
  });
}
