/** The filters of the list of webhooks. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Refused } from "../../src/errors.ts";
import { listFilter, type WebhookFilters } from "../../src/webhooks/list-filter.ts";
import type { Webhook } from "../../src/webhooks/webhook.ts";
import { faultsOf, webhookWith } from "./support.ts";

const AT = "2026-01-01T00:00:00.000Z";
const disabled = { disabled: { at: AT, reason: "410" } };
const pending: Partial<Webhook> = { verification: { state: "pending", at: AT, origin: "o" } };

describe("a filter of webhooks", () => {
  const cases: [reason: string, filters: WebhookFilters, webhook: Partial<Webhook>, passes: boolean][] = [
    ["none passes every webhook", {}, {}, true],
    ["state active", { state: "active" }, {}, true],
    ["state active, failing webhook", { state: "active" }, { id: "wh_failing" }, false],
    ["state failing", { state: "failing" }, { id: "wh_failing" }, true],
    ["state failing, paused webhook", { state: "failing" }, { id: "wh_failing", enabled: false }, false],
    ["state paused", { state: "paused" }, { enabled: false }, true],
    ["state paused, ownership check pending", { state: "paused" }, pending, true],
    ["state disabled, paused as well", { state: "disabled" }, { enabled: false, ...disabled }, true],
    ["state paused, disabled webhook", { state: "paused" }, { enabled: false, ...disabled }, false],
    ["name as a part, in another case", { name: "LARM" }, { name: "All alarms" }, true],
    ["name beyond ASCII, in another case", { name: "größe" }, { name: "GRÖßE" }, true],
    ["name, of another webhook", { name: "alarm" }, { name: "status" }, false],
    ["name, of a webhook without one", { name: "alarm" }, {}, false],
    ["topic, matched by a filter", { topic: "a/b/c" }, { topics: ["x", "a/+/c"] }, true],
    ["topic, parent level of #", { topic: "a" }, { topics: ["a/#"] }, true],
    ["topic, matched by none", { topic: "a/b" }, { topics: ["a/+/c", "b/#"] }, false],
    ["topic that starts with $, not matched by #", { topic: "$SYS/x" }, { topics: ["#"] }, false],
    ["all of several", { topic: "a/b", name: "x", state: "active" }, { name: "x" }, true],
    ["one of several does not pass", { topic: "a/b", name: "y" }, { name: "x" }, false],
  ];
  for (const [reason, filters, changes, passes] of cases) {
    it(reason, () => {
      const filter = listFilter(filters, (id) => (id === "wh_failing" ? 1 : undefined));
      assert.ok(!(filter instanceof Refused));
      assert.equal(filter(webhookWith(changes)), passes);
    });
  }

  for (const topic of ["a/+", "#", "$share/g/t", "a\0"]) {
    it(`refuses the topic ${JSON.stringify(topic)}`, () =>
      assert.deepEqual(
        faultsOf(() => listFilter({ topic }, () => undefined)),
        ["invalid_topic", "query.topic"],
      ));
  }
});
