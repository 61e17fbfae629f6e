/** The list of webhooks: its address, filters, order and first line; and the words of the settings. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checksLead, filterWords, settingsOf } from "../../dashboard/src/pages/settings/words.ts";
import {
  attemptsOf,
  countLead,
  filtersOf,
  inOrderOf,
  isFiltered,
  listQueryOf,
  parametersOf,
  sortedBy,
} from "../../dashboard/src/pages/webhooks/list-query.ts";
import type { Webhook } from "../../src/client/index.ts";

const PLAIN = listQueryOf({});

describe("the address of the list", () => {
  it("is read and written without loss", () => {
    const parameters = { q: "alarm", state: "failing", topic: "a/b", sort: "p99", order: "reverse" };
    assert.deepEqual(parametersOf(listQueryOf(parameters)), parameters);
    assert.deepEqual(filtersOf(listQueryOf(parameters)), { name: "alarm", state: "failing", topic: "a/b" });
  });

  it("takes no unknown state or order", () => {
    const query = listQueryOf({ state: "odd", sort: "odd", order: "reverse" });
    assert.deepEqual([query.state, query.sort, parametersOf(query).order], [undefined, undefined, undefined]);
    assert.ok(!isFiltered(query));
    assert.deepEqual(filtersOf(PLAIN), {});
  });

  it("turns the order round on the second click", () => {
    const once = sortedBy(PLAIN, "name");
    assert.deepEqual([once.sort, once.isReversed], ["name", false]);
    const twice = sortedBy(once, "name");
    assert.deepEqual([twice.isReversed, sortedBy(twice, "name").isReversed], [true, false]);
    assert.equal(sortedBy(twice, "p99").isReversed, false);
  });
});

describe("the order of the rows", () => {
  const webhook = (id: string, state: string, pending: number) =>
    ({ id, name: id, url: "", state, counts: { pending, active: 0, retrying: 0 } }) as unknown as Webhook;
  const rows = [webhook("b", "active", 5), webhook("a", "failing", 0), webhook("C", "disabled", 9)];
  const figures = new Map([
    ["b", { enqueued: 9, succeeded: 9, failed: 0, retried: 1, p99Ms: 20 }],
    ["C", { enqueued: 9, succeeded: 1, failed: 1, retried: 0, p99Ms: 90 }],
  ]);
  const cases: [sort: "state" | "name" | "success" | "p99" | "waiting", isReversed: boolean, ids: string][] = [
    ["state", false, "C,a,b"],
    ["name", false, "a,b,C"],
    ["name", true, "C,b,a"],
    ["success", false, "C,b,a"],
    ["success", true, "b,C,a"],
    ["p99", false, "C,b,a"],
    ["waiting", false, "C,b,a"],
    ["waiting", true, "a,b,C"],
  ];
  for (const [sort, isReversed, ids] of cases) {
    it(`${sort}${isReversed ? " the other way round" : ""}: ${ids}; rows without the figure last`, () => {
      assert.equal(
        inOrderOf(rows, { sort, isReversed }, figures)
          .map(({ id }) => id)
          .join(),
        ids,
      );
    });
  }

  it("is that of the API without a column", () => {
    assert.deepEqual(inOrderOf(rows, PLAIN, figures), rows);
  });

  it("counts repeated attempts as failures", () => {
    assert.deepEqual(attemptsOf(figures.get("b")!), [9, 10]);
  });
});

describe("the first line of the list", () => {
  const cases: [lead: string, facts: Parameters<typeof countLead>][] = [
    ["", [undefined, 0, false]],
    ["", [3, undefined, false]],
    ["No webhooks yet.", [0, 0, false]],
    ["1 webhook, none failing or disabled.", [1, 0, false]],
    ["1,000 webhooks, 3 not healthy.", [1_000, 3, false]],
    ["1,000 webhooks, more than 250 not healthy.", [1_000, 250, true]],
  ];
  for (const [lead, facts] of cases) it(lead || `unknown: ${facts}`, () => assert.equal(countLead(...facts), lead));
});

describe("the words of the settings", () => {
  it("name the checks that fail", () => {
    const [ok, down] = [{ ok: true }, { ok: false }];
    assert.equal(checksLead({ broker: ok, store: ok }), "It is ready.");
    assert.equal(checksLead({ broker: down, store: ok }), "It is not ready: broker fails.");
    assert.equal(checksLead({ broker: down, store: down }), "It is not ready: broker and store fail.");
  });

  it("name the topics of a key", () => {
    assert.deepEqual([[], ["#"], ["a/#", "b"]].map(filterWords), ["nothing", "every topic", "a/#, b"]);
  });

  it("tell a secret from a value and from none", () => {
    assert.deepEqual(settingsOf({ API_KEY: "set", PORT: 8080, MQTT_URL: null }), [
      { name: "API_KEY", value: "set", isMasked: true },
      { name: "PORT", value: "8080", isMasked: false },
      { name: "MQTT_URL", isMasked: false },
    ]);
  });
});
