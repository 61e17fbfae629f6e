/** Name of an instance: unique while the instance runs, and the same after a restart. */
import assert from "node:assert/strict";
import { statSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { claimInstance } from "../../src/store/instance.ts";
import { temporaryDirectory } from "../support/directories.ts";

describe("the name of an instance", () => {
  it("is that of its data directory, for one process at a time", async () => {
    const [mine, theirs] = [temporaryDirectory("instance"), temporaryDirectory("instance")];
    const first = await claimInstance(mine);
    assert.ok(first.name.startsWith(`${hostname()}-`));
    const [second, other] = [await claimInstance(mine), await claimInstance(theirs)];
    assert.equal(new Set([first.name, second.name, other.name]).size, 3);
    await second.release();
    await first.release();
    const again = await claimInstance(mine);
    assert.equal(again.name, first.name);
    for (const one of [again, other]) await one.release();
  });

  it("is kept in a directory that is created if necessary, for its owner only", async () => {
    const dir = join(temporaryDirectory("instance"), "made", "here");
    const first = await claimInstance(dir);
    assert.equal(statSync(dir).mode & 0o777, 0o700);
    await first.release();
    const again = await claimInstance(dir);
    assert.equal(again.name, first.name);
    await again.release();
  });

  it("is new at each start where nothing can be kept", async () => {
    const dir = temporaryDirectory("instance");
    writeFileSync(join(dir, "file"), "");
    const [one, two] = [await claimInstance(join(dir, "file")), await claimInstance(join(dir, "file"))];
    assert.notEqual(one.name, two.name);
  });
});
