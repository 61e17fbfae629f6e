/** The embedded default syncs a message to disk before it acknowledges it: the order of the system calls, by strace. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { temporaryDirectory } from "../support/directories.ts";
import { startProcess } from "../support/processes.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { embedded, scenario } from "../support/scenario.ts";

const CALLS = "trace=write,writev,pwrite64,fsync,fdatasync";
const SYNCED = /(fsync|fdatasync)(\(\d+<[^>]*-wal>| resumed>).*= 0$/;

describe("system calls of the embedded broker and store", requireOrSkip("strace"), () => {
  const s = scenario(embedded);

  it("syncs the write-ahead log before PUBACK, PUBREC and 202", async (t) => {
    await s.bridge.register({ url: s.receiver.url, topics: ["sync/#"], qos: 2, enabled: false });
    const trace = join(temporaryDirectory("sync"), "trace");
    const args = ["-f", "-y", "-s", "5000", "-e", CALLS, "-o", trace, "-p", String(s.bridge.pid)];
    const strace = startProcess("strace", args);
    // Not in CI, where no test may be skipped.
    const denied = strace.waitFor(/Operation not permitted/).then(
      () => true,
      () => false,
    );
    const attached = strace.waitFor(/attached/).then(() => false);
    if ((await Promise.race([attached, denied])) && !process.env.CI) return t.skip("ptrace is not allowed here");

    await s.device.publishAsync("sync/one", "x", { qos: 1 });
    await s.device.publishAsync("sync/two", "x", { qos: 2 });
    const message = { topic: "sync/http", payload: "x" };
    const { status } = await s.bridge.api("POST", "/v1/messages", message, { prefer: "respond-async" });
    assert.equal(status, 202);
    await strace.stop("SIGINT");

    const lines = readFileSync(trace, "utf8").split("\n");
    for (const [topic, acknowledgement] of [
      ["sync/one", /writev\(\d+<socket:.*iov_base="@", iov_len=1/],
      ["sync/two", /writev\(\d+<socket:.*iov_base="P", iov_len=1/],
      ["sync/http", /writev?\(\d+<socket:.*HTTP\/1\.1 202/],
    ] as const) {
      const stored = lines.findIndex((line) => /pwrite64\(\d+<[^>]*-wal>/.test(line) && line.includes(topic));
      assert.ok(stored >= 0, `${topic} was written to the log`);
      const acknowledged = lines.findIndex((line, i) => i > stored && acknowledgement.test(line));
      assert.ok(acknowledged > stored, `${topic} was acknowledged after it was written`);
      const synced = lines.findIndex((line, i) => i > stored && SYNCED.test(line));
      assert.ok(synced > stored && synced < acknowledged, `${topic} was synced before it was acknowledged`);
      assert.ok(
        !lines.slice(0, stored).some((line) => acknowledgement.test(line)),
        `${topic} was not acknowledged before`,
      );
    }
  });
});
