/** Findings about the bridge from its status, for `causeway doctor` and the dashboard. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readyFindings, type Status, statusFindings } from "../../src/client/index.ts";

const MIB = 1024 * 1024;
const embedded = (free: number) => ({
  store: { kind: "embedded", capacity: { usedBytes: 9_000 * MIB - free, maximumBytes: 9_000 * MIB, version: null } },
});
const redis = (used: number, maximum: number | null) => ({
  store: { kind: "redis", capacity: { usedBytes: used, maximumBytes: maximum, version: "7.2.0" } },
});
const broker = (granted: object) => ({ broker: { connected: true, protocol: "5", embedded: true, ...granted } });

describe("findings from the status", () => {
  const cases: [reason: string, status: object, check: string, found: string, detail: RegExp][] = [
    ["much disk", embedded(2_000 * MIB), "disk of the bridge", "ok", /^2,000 MiB free/],
    ["little disk", embedded(1_023 * MIB), "disk of the bridge", "warning", /^1,023 MiB free/],
    ["hardly any disk", embedded(99 * MIB), "disk of the bridge", "failed", /^99 MiB free/],
    ["Redis without a limit", redis(5 * MIB, null), "memory of the store", "ok", /without a limit, version 7\.2\.0/],
    ["Redis with room", redis(8 * MIB, 10 * MIB), "memory of the store", "ok", /^8 MiB of 10 MiB used/],
    ["Redis that is nearly full", redis(9 * MIB, 10 * MIB), "memory of the store", "warning", /^9 MiB of 10 MiB/],
    [
      "a broker that grants all",
      broker({ maximumQos: 2, retainAvailable: true }),
      "broker",
      "ok",
      /^embedded, MQTT 5$/,
    ],
    [
      "a broker with limits",
      broker({ maximumQos: 1, retainAvailable: false }),
      "broker",
      "ok",
      /QoS 1 at most, no retained/,
    ],
    ["a broker without QoS 1", broker({ maximumQos: 0, retainAvailable: true }), "broker", "warning", /QoS 0 at most/],
    ["a broker that tells nothing", broker({}), "broker", "ok", /^embedded, MQTT 5$/],
    ["no version without a program", { version: "0.0.0" }, "version", "absent", /^$/],
    [
      "warnings of the store",
      { store: { kind: "redis", warnings: ["keeps nothing"] } },
      "store",
      "warning",
      /keeps nothing/,
    ],
  ];
  for (const [reason, status, check, wanted, detail] of cases) {
    it(`tell of ${reason}`, () => {
      const all = statusFindings(status as Status).filter((finding) => finding.check === check);
      const finding = all.find((one) => one.status === wanted);
      if (wanted === "absent") return assert.deepEqual(all, []);
      assert.match(finding!.detail, detail);
      assert.equal(finding!.advice !== undefined, wanted !== "ok", "a remedy if something is wrong");
    });
  }

  it("compare the versions for another program", () => {
    const [, same] = statusFindings({ version: "1.0.0" } as Status, "1.0.0");
    const [, other] = statusFindings({ version: "1.0.0" } as Status, "1.1.0");
    assert.deepEqual([same!.status, other!.status], ["ok", "warning"]);
  });

  it("name the check of /readyz that fails, with a remedy", () => {
    const [fine, wrong] = readyFindings({ store: { ok: true }, broker: { ok: false, detail: "refused" } });
    assert.deepEqual([fine!.status, wrong!.status, wrong!.detail], ["ok", "failed", "refused"]);
    assert.match(wrong!.advice!, /MQTT_URL/);
  });
});
