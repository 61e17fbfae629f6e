/** Operations on one webhook and the list of all: the required rights and the results. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Caller, ROOT } from "../../src/keys/caller.ts";
import { ORIGIN, serviceWith } from "./service-support.ts";
import { callerWith, detailOfAsync, faultsOfAsync, granted, webhookWith } from "./support.ts";

const CHECK = { state: "pending", at: "2026-01-01T00:00:00.000Z", origin: ORIGIN } as const;
const idOf = (number: number) => `wh_00000000-0000-7000-8000-${String(number).padStart(12, "0")}`;

describe("an operation on a webhook", () => {
  type Service = Awaited<ReturnType<typeof serviceWith>>["service"];
  const operations: [
    name: string,
    run: (service: Service, id: string, caller: Caller) => Promise<unknown>,
    use: boolean,
  ][] = [
    ["get", (service, id, caller) => service.get(id, caller), false],
    ["update", (service, id, caller) => service.update(id, {}, caller), true],
    ["rotate", (service, id, caller) => service.rotateSecret(id, {}, caller), true],
    ["remove", (service, id, caller) => service.remove(id, caller), false],
    ["test", (service, id, caller) => service.test(id, caller), true],
    ["list deliveries", (service, id, caller) => service.listDeliveries(id, undefined, caller), false],
    ["read", (service, id, caller) => service.readable(id, caller), false],
    ["use", (service, id, caller) => service.usable(id, caller), true],
  ];
  for (const [name, run, use] of operations) {
    const stored = webhookWith({ replyTopic: "r" });
    const verdict = async (id: string, caller: Caller) => {
      const { service } = await serviceWith([stored]);
      return faultsOfAsync(() => run(service, id, caller));
    };
    const detailOf = async (id: string, caller: Caller) => {
      const { service } = await serviceWith([stored]);
      return detailOfAsync(() => run(service, id, caller));
    };
    it(`${name}: an absent and a hidden one are not found`, async () => {
      assert.deepEqual(await verdict("wh_2", ROOT), ["not_found"]);
      assert.deepEqual(await verdict("wh_1", callerWith({ read: ["b"] })), ["not_found"]);
      assert.deepEqual(await verdict("wh_1", callerWith({ read: ["a/#"] })), []);
    });
    it(`${name}: both have the same text, which does not give the hidden one away`, async () => {
      const hidden = await detailOf("wh_1", callerWith({ read: ["b"] }));
      assert.equal(hidden, "there is no webhook wh_1");
      assert.equal((await detailOf("wh_2", ROOT)).replace("wh_2", "wh_1"), hidden);
    });
    it(`${name}: ${use ? "needs" : "does not need"} the right to the replies`, async () => {
      const faults = use ? ["forbidden_topic", "replyTopic"] : [];
      assert.deepEqual(await verdict("wh_1", callerWith({ publish: [] })), faults);
    });
  }

  it("removes it and then drops its deliveries", async () => {
    const { service, registry, calls } = await serviceWith([webhookWith()]);
    await service.remove("wh_1", ROOT);
    assert.deepEqual([registry.size, calls], [0, ["drop"]]);
  });

  const DAY = 86_400;
  const rotations: [
    reason: string,
    input: { secret?: string; graceSeconds?: number },
    secret: string,
    seconds: number | undefined,
  ][] = [
    ["a day of grace and a new secret by default", {}, "whsec_new", DAY],
    ["the given secret", { secret: "mine" }, "mine", DAY],
    ["the given period", { graceSeconds: 1 }, "whsec_new", 1],
    ["no period", { graceSeconds: 0 }, "whsec_new", undefined],
  ];
  for (const [reason, input, secret, seconds] of rotations) {
    it(`rotates the secret with ${reason}`, async () => {
      const { service, registry } = await serviceWith([webhookWith()]);
      assert.equal((await granted(service.rotateSecret("wh_1", input, ROOT))).secret, secret);
      const { secret: stored, oldSecret: old, updatedAt } = registry.get("wh_1")!;
      const until = seconds && {
        secret: "whsec_old",
        until: new Date(Date.parse(updatedAt) + seconds * 1_000).toISOString(),
      };
      assert.deepEqual([stored, old], [secret, until]);
    });
  }

  it("refuses an invalid new secret", async () => {
    const { service } = await serviceWith([webhookWith()]);
    const faults = await faultsOfAsync(() => service.rotateSecret("wh_1", { secret: "short" }, ROOT));
    assert.deepEqual(faults, ["invalid_request", "secret"]);
  });

  const token = "t0ken";
  const confirmations: [reason: string, id: string, token: string, ...faults: string[]][] = [
    ["with its token", "wh_1", token],
    ["not with another token", "wh_1", "other", "not_found"],
    ["not for another webhook", "wh_2", token, "not_found"],
  ];
  for (const [reason, id, given, ...faults] of confirmations) {
    it(`confirms the ownership ${reason}`, async () => {
      const { service, registry } = await serviceWith([webhookWith({ verification: { ...CHECK, token } })]);
      assert.deepEqual(await faultsOfAsync(() => service.confirm(id, given, {})), faults);
      assert.equal(registry.get("wh_1")?.verification?.state, faults.length > 0 ? "pending" : "verified");
    });
  }
});

describe("the list of webhooks", () => {
  /** Every third one is visible to a key that may read `mine`. */
  const stored = Array.from({ length: 9 }, (_, i) =>
    webhookWith({ id: idOf(i), topics: [i % 3 === 2 ? "mine" : "theirs"] }),
  );
  const mine = callerWith({ read: ["mine"] });
  const cases: [reason: string, caller: Caller, limit: number, pages: number[][]][] = [
    ["is one page of all", ROOT, 9, [[0, 1, 2, 3, 4, 5, 6, 7, 8]]],
    [
      "has a last page that is full",
      ROOT,
      3,
      [
        [0, 1, 2],
        [3, 4, 5],
        [6, 7, 8],
      ],
    ],
    ["has a last page of one", ROOT, 4, [[0, 1, 2, 3], [4, 5, 6, 7], [8]]],
    ["is not shortened by hidden webhooks", mine, 2, [[2, 5], [8]]],
    ["has no empty last page of hidden webhooks", mine, 3, [[2, 5, 8]]],
    ["has pages of one", mine, 1, [[2], [5], [8]]],
    ["is empty for a key without rights", callerWith({ read: [] }), 1, [[]]],
  ];
  for (const [reason, caller, limit, pages] of cases) {
    it(reason, async () => {
      const { service } = await serviceWith(stored);
      const found: string[][] = [];
      for (let after: string | undefined; ; ) {
        const { items, nextCursor } = await granted(service.list({ limit, ...(after && { after }) }, caller));
        found.push(items.map(({ id }) => id));
        if (nextCursor === null) break;
        after = nextCursor;
      }
      assert.deepEqual(
        found,
        pages.map((page) => page.map(idOf)),
      );
    });
  }

  it("has full pages of the webhooks that pass the filters, also where few of many do", async () => {
    const many = Array.from({ length: 600 }, (_, i) =>
      webhookWith({ id: idOf(i), name: i % 200 === 199 ? "Wanted" : "Other" }),
    );
    const { service } = await serviceWith(many);
    const first = await granted(service.list({ limit: 2, name: "want" }, ROOT));
    assert.deepEqual(
      first.items.map(({ id }) => id),
      [idOf(199), idOf(399)],
    );
    const last = await granted(service.list({ limit: 2, name: "want", after: first.nextCursor! }, ROOT));
    assert.deepEqual([last.items.map(({ id }) => id), last.nextCursor], [[idOf(599)], null]);
  });

  for (const after of ["nonsense", "", Buffer.from("key_00000000-0000-7000-8000-000000000000").toString("base64url")]) {
    it(`refuses ${after.slice(0, 10) || "an empty text"}… as a cursor`, async () => {
      const { service } = await serviceWith(stored);
      const faults = await faultsOfAsync(() => service.list({ limit: 1, after }, ROOT));
      assert.deepEqual(faults, ["invalid_request", "query.after"]);
    });
  }
});
