/**
 * No pulled delivery is lost, none is acknowledged twice, and the order holds, while consumers and the bridge get
 * SIGKILL. `MESSAGES`, `KILLS` and `ORDERING` set the size.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { eventually } from "../support/eventually.ts";
import { publishLoad } from "../support/load.ts";
import { Pullers } from "../support/pullers.ts";
import { embedded, mosquittoAndRedis, startScenario } from "../support/scenario.ts";
import { scaled } from "../support/speed.ts";

const MESSAGES = Number(process.env.MESSAGES ?? 200);
const KILLS = Number(process.env.KILLS ?? 1);
/** Consumers at the start: each time, one is killed with the bridge. */
const PULLERS = KILLS + 2;
const LEASE_SECONDS = 2;
const BOTH = [embedded, mosquittoAndRedis("5")];
/** The two that relax the order run on one store each, unless `ORDERING` names them. */
const CASES = [
  { ordering: "none", messages: MESSAGES, kinds: [BOTH[0]!] },
  { ordering: "topic", messages: Math.ceil(MESSAGES / 3), kinds: [BOTH[1]!] },
  { ordering: "strict", messages: Math.ceil(MESSAGES / 10), kinds: BOTH },
] as const;
const ORDERINGS = process.env.ORDERING?.split(",");

for (const { ordering, messages, kinds } of CASES) {
  if (ORDERINGS && !ORDERINGS.includes(ordering)) continue;
  // At the same time: both mostly wait for restarts.
  describe(`pulled deliveries with the ordering ${ordering}`, { concurrency: true }, () => {
    for (const kind of ORDERINGS ? BOTH : kinds) {
      it(`are acknowledged once each through SIGKILL: ${kind.name}`, kind.options, async (t) => {
        const { bridge, brokerUrl } = await startScenario(t, kind, { device: false });
        // More attempts than kills: each may use one up.
        const retry = { scheduleSeconds: Array.from({ length: 20 }, () => 1) };
        const { id } = await bridge.register({ type: "pull", topics: ["load/#"], retry, ordering });
        const startedAt = performance.now();
        const load = publishLoad(brokerUrl, { count: messages, perSecond: 5_000 });
        t.after(() => load.close());
        const pullers = new Pullers(PULLERS, {
          ...{ BRIDGE: bridge.url, API_KEY: "test-key-0123456789abcdef", WEBHOOK: id },
          INPUT: JSON.stringify({ max: 50, leaseSeconds: LEASE_SECONDS, waitSeconds: 1 }),
        });
        t.after(() => pullers.close());

        for (let kill = 0; kill < KILLS; kill++) {
          const isReached = (acked: number) => acked >= messages * (0.2 + (0.6 * kill) / KILLS);
          await eventually(async () => pullers.acked.size, isReached, scaled(60_000 + messages * 10));
          assert.equal((await pullers.killOne()).signal, "SIGKILL");
          await bridge.kill();
          await bridge.start();
        }
        assert.equal(pullers.running, PULLERS - KILLS);
        await load.done;
        const counts = async () => (await bridge.api("GET", `/v1/webhooks/${id}`)).body.counts;
        const open = ({ pending, active, retrying }: Record<string, number>) => pending! + active! + retrying!;
        const isDone = (found: Record<string, number>) => pullers.received.size >= messages && open(found) === 0;
        await eventually(counts, isDone, scaled(120_000 + messages * 10));
        await pullers.close();

        assert.equal(pullers.received.size, messages);
        assert.deepEqual(
          [...pullers.acked].filter(([, times]) => times > 1),
          [],
        );
        if (ordering !== "none") pullers.assertOrder(({ topic }) => (ordering === "topic" ? topic : "all"));
        const { failed, discarded } = await counts();
        assert.deepEqual([failed, discarded], [0, 0]);
        const seconds = Math.round((performance.now() - startedAt) / 1_000);
        const { books } = (await bridge.api("GET", "/v1/status")).body;
        const confirmed = `${pullers.acked.size} acknowledgements confirmed`;
        t.diagnostic(`${pullers.received.size} received in ${seconds} s, ${confirmed}, ${JSON.stringify(books)}`);
      });
    }
  });
}
