/** External ids are unique in the store, whatever runs at the same time and wherever a process dies. */
import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { ExternalIds, type Reservation } from "../../src/store/external-ids.ts";
import type { Records } from "../../src/store/store.ts";
import { WebhookRegistry } from "../../src/webhooks/registry.ts";
import type { Webhook } from "../../src/webhooks/webhook.ts";
import { type MemoryRecords, memoryRecords } from "../support/memory-records.ts";
import { webhookWith } from "../webhooks/support.ts";

const quiet = { info() {}, warn() {} };
const NAME = "acme-alarms";
const named = () => webhookWith({ externalId: NAME });

let reservations: MemoryRecords<Reservation>;
let webhooks: MemoryRecords<Webhook>;

beforeEach(() => {
  [reservations, webhooks] = [memoryRecords<Reservation>(), memoryRecords<Webhook>()];
});

/** Another instance on the same store. `changes` replaces methods of its reservations. */
async function instance(changes: Partial<Records<Reservation>> = {}): Promise<ExternalIds<Webhook, "webhookId">> {
  const registry = new WebhookRegistry(webhooks, quiet);
  await registry.start();
  return new ExternalIds({ field: "webhookId", records: { ...reservations, ...changes }, registry });
}

const ids = async () => (await webhooks.all()).map(({ id }) => id);

describe("external ids", () => {
  it("are given to one of many concurrent registrations", async () => {
    const instances = await Promise.all([instance(), instance(), instance()]);
    const made = await Promise.all([...instances, ...instances].map((one) => one.create(named(), NAME)));
    assert.equal(made.filter((one) => one !== undefined).length, 1);
    assert.equal((await ids()).length, 1);
    assert.equal((await instances[2]!.find(NAME))?.id, (await ids())[0]);
  });

  it("are unknown while only reserved, and free for the registration that follows a crash", async () => {
    await reservations.create(NAME, { webhookId: "wh_reserved" });
    const one = await instance();
    assert.equal(await one.find(NAME), undefined);
    assert.equal((await one.create(named(), NAME))?.id, "wh_reserved");
    assert.equal(await one.create(named(), NAME), undefined);
  });

  it("are free after the removal, for a webhook with a new id", async () => {
    const one = await instance();
    const first = await one.create(named(), NAME);
    assert.equal(await one.remove(first!.id, NAME), true);
    assert.deepEqual([await one.find(NAME), await reservations.all(), await ids()], [undefined, [], []]);
    assert.equal(await one.remove(first!.id, NAME), false);
    const second = await one.create(named(), NAME);
    assert.notEqual(second!.id, first!.id);
  });

  it("are free with a new id if the process dies between the removal and the release", async () => {
    const dying = await instance({ remove: () => Promise.reject(new Error("died")) });
    const first = await dying.create(named(), NAME);
    await assert.rejects(dying.remove(first!.id, NAME));
    assert.equal(await dying.find(NAME), undefined);
    const second = await (await instance()).create(named(), NAME);
    assert.notEqual(second!.id, first!.id);
    assert.deepEqual(await ids(), [second!.id]);
  });

  it("still belong to a webhook whose removal did not happen", async () => {
    const one = await instance();
    const { id } = (await one.create(named(), NAME))!;
    await reservations.replace(NAME, { webhookId: id, removing: true }, 1);
    assert.equal((await one.find(NAME))?.id, id);
    assert.equal(await one.create(named(), NAME), undefined);
    assert.equal(await one.remove(id, NAME), true);
    assert.deepEqual(await reservations.all(), []);
  });

  it("keep their new webhook if it is registered while the old one is being removed", async () => {
    const other = await instance();
    let second: Webhook | undefined;
    const slow = await instance({
      async remove(id, version) {
        second = await other.create(named(), NAME);
        return reservations.remove(id, version);
      },
    });
    const first = await slow.create(named(), NAME);
    await slow.remove(first!.id, NAME);
    assert.ok(second && second.id !== first!.id);
    assert.equal((await reservations.get(NAME))?.value.webhookId, second.id);
    assert.equal(await other.create(named(), NAME), undefined);
  });

  it("are found also where the reservation is missing", async () => {
    await webhooks.create("wh_1", named());
    assert.equal((await (await instance()).find(NAME))?.id, "wh_1");
  });
});
