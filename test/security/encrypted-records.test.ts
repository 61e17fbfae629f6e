/** Encrypted records, by the example of webhooks: the plain fields, the secrets, and the change of keys. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encryptAll, encryptedRecords, type Sealer, type Stored } from "../../src/security/encrypted-records.ts";
import { openFields, type Webhook } from "../../src/webhooks/webhook.ts";
import { memoryRecords } from "../support/memory-records.ts";
import { webhookWith } from "../webhooks/support.ts";

type StoredWebhook = Stored<Webhook>;
const KIND = { what: "webhook", openFields };

/** Seals with the first key and opens with all of them; a sealed text is key, owner and text in base64. */
function sealerOf(...keys: string[]): Sealer {
  return {
    seals: keys.length > 0,
    seal: (text, owner) => [keys[0], owner, text].map((part) => Buffer.from(part!).toString("base64")).join(":"),
    open(sealed, owner) {
      const [key, of, text] = sealed.split(":").map((part) => Buffer.from(part, "base64").toString());
      if (!keys.includes(key!) || of !== owner) throw new Error("no key opens it");
      return text!;
    },
    isCurrent: (sealed) => Buffer.from(sealed.split(":")[0]!, "base64").toString() === keys[0],
  };
}

const secrets = {
  secret: "needle-1",
  oldSecret: { secret: "needle-2", until: "2026-01-01T00:00:00.000Z" },
  auth: { type: "bearer", token: "needle-3" } as const,
  headers: { a: "needle-4" },
  verification: { state: "pending", at: "2026-01-01T00:00:00.000Z", origin: "o", token: "needle-5" } as const,
  fieldOfANewerBridge: "needle-6",
};
const webhook: Webhook = webhookWith({ name: "n", ...secrets });

describe("a stored webhook", () => {
  it("has its secrets encrypted, also unknown ones, and all else in plain text", async () => {
    const stored = memoryRecords<StoredWebhook>();
    const records = encryptedRecords(stored, sealerOf("k1"), KIND);
    assert.ok(await records.create("wh_1", webhook));
    const { value, version } = (await stored.get("wh_1"))!;
    assert.doesNotMatch(JSON.stringify(value), /needle/);
    const { sealed, ...plain } = value;
    const open = Object.entries(webhook).filter(([name]) => !Object.hasOwn(secrets, name));
    assert.deepEqual(plain, Object.fromEntries(open));
    assert.equal(typeof sealed, "string");

    const read = { id: "wh_1", value: webhook, version };
    assert.deepEqual(await records.get("wh_1"), read);
    assert.deepEqual(await records.all(), [read]);
    assert.deepEqual(await records.list({ limit: 9 }), [read]);
    assert.equal(await records.get("wh_2"), undefined);
  });

  it("is encrypted by a change, too", async () => {
    const stored = memoryRecords<StoredWebhook>();
    await stored.create("wh_1", webhook);
    const records = encryptedRecords(stored, sealerOf("k1"), KIND);
    assert.deepEqual((await records.get("wh_1"))?.value, webhook, "a plain record is readable");
    assert.ok(await records.replace("wh_1", { ...webhook, name: "m" }, 1));
    assert.doesNotMatch(JSON.stringify(await stored.get("wh_1")), /needle/);
    assert.equal((await records.get("wh_1"))?.value.name, "m");
  });

  it("is plain text without a key", async () => {
    const stored = memoryRecords<StoredWebhook>();
    await encryptedRecords(stored, sealerOf(), KIND).create("wh_1", webhook);
    assert.deepEqual((await stored.get("wh_1"))?.value, webhook);
  });

  it("cannot be read with the secrets of another webhook", async () => {
    const stored = memoryRecords<StoredWebhook>();
    const records = encryptedRecords(stored, sealerOf("k1"), KIND);
    await records.create("wh_1", webhook);
    const { sealed } = (await stored.get("wh_1"))!.value;
    await stored.create("wh_2", { ...webhook, id: "wh_2", sealed: sealed! });
    await assert.rejects(records.get("wh_2"), /no key/);
  });
});

describe("the encryption of all records", () => {
  const cases: [reason: string, stored: Sealer, now: Sealer, written: number, sealed: boolean][] = [
    ["encrypts plain records", sealerOf(), sealerOf("k1"), 2, true],
    ["leaves records with the current key", sealerOf("k1"), sealerOf("k1"), 0, true],
    ["leaves them also with an old key at hand", sealerOf("k2"), sealerOf("k2", "k1"), 0, true],
    ["renews records with a replaced key", sealerOf("k1"), sealerOf("k2", "k1"), 2, true],
    ["leaves plain records without a key", sealerOf(), sealerOf(), 0, false],
  ];
  for (const [reason, before, now, written, sealed] of cases) {
    it(reason, async () => {
      const stored = memoryRecords<StoredWebhook>();
      for (const id of ["wh_1", "wh_2"]) await encryptedRecords(stored, before, KIND).create(id, { ...webhook, id });
      assert.equal(await encryptAll(stored, now, KIND), written);
      for (const { id, value } of await stored.all()) {
        assert.equal(value.sealed !== undefined, sealed);
        if (sealed) assert.ok(now.isCurrent(value.sealed!));
        assert.deepEqual((await encryptedRecords(stored, now, KIND).get(id))?.value, { ...webhook, id });
      }
    });
  }

  const unreadable: [reason: string, now: Sealer][] = [
    ["fails without the key", sealerOf("k2")],
    ["fails without any key", sealerOf()],
  ];
  for (const [reason, now] of unreadable) {
    it(reason, async () => {
      const stored = memoryRecords<StoredWebhook>();
      await encryptedRecords(stored, sealerOf("k1"), KIND).create("wh_1", webhook);
      const before = await stored.all();
      await assert.rejects(encryptAll(stored, now, KIND), /no key/);
      assert.deepEqual(await stored.all(), before);
    });
  }

  it("counts only its own writes where another process changes a record meanwhile", async () => {
    const stored = memoryRecords<StoredWebhook>();
    await stored.create("wh_1", webhook);
    const release = stored.hold();
    const encrypting = encryptAll(stored, sealerOf("k1"), KIND);
    await encryptedRecords(stored, sealerOf("k1"), KIND).replace("wh_1", { ...webhook, name: "theirs" }, 1);
    release();
    assert.equal(await encrypting, 0);
    assert.equal((await stored.get("wh_1"))?.value.name, "theirs");
  });
});
