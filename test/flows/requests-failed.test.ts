/** Stored requests that the broker refuses are `failed` at once on every instance, and after a restart. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { TestBridge } from "../support/bridge.ts";
import { temporaryDirectory } from "../support/directories.ts";
import { eventually } from "../support/eventually.ts";
import { startInstances } from "../support/instances.ts";
import { requireOrSkip } from "../support/requirements.ts";

const RESPONSES = "devices/7/responses";

async function failure(bridge: TestBridge, id: string): Promise<string> {
  const { outcome, error } = await eventually(
    async () => (await bridge.api("GET", `/v1/requests/${id}`)).body,
    (request) => request.outcome !== "pending",
  );
  assert.equal(outcome, "failed");
  return error;
}

function rules(): string {
  const file = join(temporaryDirectory("rules"), "acl");
  writeFileSync(file, "topic readwrite #\ntopic readwrite $share/#\ntopic deny forbidden\n", { mode: 0o644 });
  return file;
}

const CASES = [
  {
    protocol: "5",
    title: "is not authorized",
    extraConfig: () => `acl_file ${rules()}`,
    request: { topic: "forbidden", payload: "x" },
    error: /0x87/,
  },
  {
    protocol: "3.1.1",
    title: "is too large, at which the broker ends the connection",
    extraConfig: () => "max_packet_size 20000",
    request: { topic: "devices/7/requests", payload: "x".repeat(30_000) },
    error: /ended the connection each time/,
  },
] as const;

describe("a stored request that the broker refuses", requireOrSkip("mosquitto", "redis-server"), () => {
  for (const { protocol, title, extraConfig, request, error } of CASES) {
    it(`MQTT ${protocol}: ${title}`, async (t) => {
      const broker = { extraConfig: extraConfig() };
      const { bridges, mosquitto } = await startInstances(t, { protocol, broker });
      const [a, b] = bridges as [TestBridge, TestBridge];
      const body = { ...request, responseTopic: RESPONSES, match: "first" };
      const { status, body: accepted } = await b.api("POST", "/v1/requests", body, { prefer: "respond-async" });
      assert.equal(status, 202);
      for (const bridge of [b, a]) assert.match(await failure(bridge, accepted.id), error);
      await mosquitto.waitForLog(new RegExp(`Received UNSUBSCRIBE[^]*${RESPONSES}`));
      assert.equal((await b.api("DELETE", `/v1/requests/${accepted.id}`)).status, 409);
      await a.kill();
      await a.start();
      assert.match(await failure(a, accepted.id), error);
    });
  }
});
