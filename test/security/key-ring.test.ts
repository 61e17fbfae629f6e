import assert from "node:assert/strict";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { CannotStartError } from "../../src/errors.ts";
import { KeyRing, SecretsKeyError } from "../../src/security/key-ring.ts";
import { openSecrets } from "../../src/security/secrets-key.ts";
import { temporaryDirectory } from "../support/directories.ts";

const [OLD, NEW] = ["o".repeat(32), "n".repeat(44)];
const TEXT = "hunter2 ✓";

describe("the key ring", () => {
  it("decrypts what it encrypted, for the same owner only", async () => {
    const ring = await KeyRing.from([OLD]);
    const sealed = ring.seal(TEXT, "webhook a");
    assert.equal(ring.open(sealed, "webhook a"), TEXT);
    assert.throws(() => ring.open(sealed, "webhook b"), SecretsKeyError);
    assert.ok(!sealed.includes("hunter2") && !sealed.includes(OLD));
    assert.notEqual(ring.seal(TEXT, "webhook a"), sealed, "the same text looks different each time");
  });

  it("encrypts with the first key and decrypts with any", async () => {
    const [before, both, after] = [
      await KeyRing.from([OLD]),
      await KeyRing.from([NEW, OLD]),
      await KeyRing.from([NEW]),
    ];
    const old = before.seal(TEXT, "w");
    assert.equal(both.open(old, "w"), TEXT);
    assert.deepEqual([before.isCurrent(old), both.isCurrent(old)], [true, false]);
    const sealed = both.seal(TEXT, "w");
    assert.equal(after.open(sealed, "w"), TEXT);
    assert.throws(() => after.open(old, "w"), /^SecretsKeyError: SECRETS_KEY: none of the keys given opens .* w /);
  });

  it("refuses altered or truncated values, and names their owner", async () => {
    const ring = await KeyRing.from([OLD]);
    const [form, id, body] = ring.seal(TEXT, "w").split(".") as [string, string, string];
    const bytes = Buffer.from(body, "base64url");
    for (let i = 0; i < bytes.length; i++) {
      const altered = Buffer.from(bytes);
      altered[i]! ^= 1;
      assert.throws(
        () => ring.open(`${form}.${id}.${altered.toString("base64url")}`, "w"),
        /secrets of w were altered/,
      );
      const cut = bytes.subarray(0, i).toString("base64url");
      assert.throws(() => ring.open(`${form}.${id}.${cut}`, "w"), /secrets of w were altered/);
    }
  });

  it("encrypts nothing without a key, and reports that SECRETS_KEY is missing", async () => {
    const none = await KeyRing.from([]);
    assert.equal(none.seals, false);
    const sealed = (await KeyRing.from([OLD])).seal(TEXT, "w");
    assert.throws(() => none.open(sealed, "w"), /SECRETS_KEY is not set/);
    assert.throws(() => none.open(sealed, "w"), CannotStartError);
  });
});

describe("the key of the embedded store", () => {
  it("is created once, readable only by its owner, and yields to SECRETS_KEY without being forgotten", async () => {
    const dir = temporaryDirectory("secrets");
    const first = await openSecrets({ keys: [], embeddedIn: dir });
    const file = join(dir, "secrets-key");
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal(Buffer.from(readFileSync(file, "utf8"), "base64").length, 32);
    const sealed = first.ring.seal(TEXT, "w");
    const second = await openSecrets({ keys: [], embeddedIn: dir });
    assert.equal(second.ring.open(sealed, "w"), TEXT);
    const configured = await openSecrets({ keys: [NEW], embeddedIn: dir });
    assert.equal(configured.ring.open(sealed, "w"), TEXT);
    assert.equal(configured.ring.isCurrent(sealed), false);
    assert.deepEqual([first.warnings, configured.warnings], [[], []]);
  });

  it("is not created with SECRETS_KEY, nor with another store, which gets a warning", async () => {
    const dir = temporaryDirectory("secrets");
    await openSecrets({ keys: [NEW], embeddedIn: dir });
    assert.throws(() => statSync(join(dir, "secrets-key")), /ENOENT/);
    const { ring, warnings } = await openSecrets({ keys: [] });
    assert.equal(ring.seals, false);
    assert.match(warnings.join(), /SECRETS_KEY is not set/);
  });

  it("that cannot be read ends the start and is named", async () => {
    const dir = temporaryDirectory("secrets");
    mkdirSync(join(dir, "secrets-key"));
    await assert.rejects(openSecrets({ keys: [], embeddedIn: dir }), /CannotStartError.*secrets-key/);
    const other = temporaryDirectory("secrets");
    writeFileSync(join(other, "secrets-key"), "");
    const { ring } = await openSecrets({ keys: [], embeddedIn: other });
    assert.equal(ring.seals, true, "an empty file is none");
  });
});
