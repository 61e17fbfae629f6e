/** Restoring a backup of the embedded store, as docs/operations.md describes it. */
import assert from "node:assert/strict";
import { copyFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describe, it } from "node:test";
import { assertBooksClose } from "../support/books.ts";
import { contentOf } from "../support/crash-image.ts";
import { temporaryDirectory } from "../support/directories.ts";
import { eventually } from "../support/eventually.ts";
import { embedded, scenario } from "../support/scenario.ts";

const Libsql = createRequire(import.meta.url)("libsql") as new (
  file: string,
) => { exec(sql: string): void; close(): void };

describe("a backup of the embedded store", () => {
  const s = scenario(embedded);

  it("replaces causeway.db of the stopped bridge, also after a kill -9", async () => {
    const { bridge, device } = s;
    const file = join(bridge.dataDir, "causeway.db");
    const { id } = await bridge.register({ url: s.receiver.url, topics: ["t/#"], enabled: false });
    const publish = async (topic: string, deliveries: number) => {
      await device.publishAsync(topic, "x", { qos: 1, retain: true });
      await eventually(
        () => contentOf(bridge.dataDir, id).jobs,
        ({ length }) => length === deliveries,
      );
    };
    await publish("t/before", 1);
    const backup = join(temporaryDirectory("backup"), "backup.db");
    const reader = new Libsql(file);
    reader.exec(`VACUUM INTO '${backup}'`);
    reader.close();

    for (const end of ["stop", "kill"] as const) {
      await publish("t/after", 2);
      await bridge.register({ url: s.receiver.url, topics: ["other"] });
      await bridge[end]();
      copyFileSync(backup, file);
      for (const rest of ["-wal", "-shm"]) rmSync(`${file}${rest}`, { force: true });
      await bridge.start();
      const { body } = await bridge.api("GET", "/v1/webhooks");
      assert.deepEqual(
        body.items.map((webhook: { id: string }) => webhook.id),
        [id],
      );
      assert.equal((await bridge.api("GET", "/v1/topics/t/before")).bytes.toString(), "x");
      assert.equal((await bridge.api("GET", "/v1/topics/t/after")).status, 404);
      await bridge.readiness(200);
      await assertBooksClose(bridge, { waiting: 1 });
      assert.deepEqual(contentOf(bridge.dataDir, id).jobs, ["t/before"]);
    }
    await bridge.api("PATCH", `/v1/webhooks/${id}`, { enabled: true });
    await assertBooksClose(bridge, { receiver: s.receiver });
  });
});
