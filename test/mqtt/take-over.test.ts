/** Two clients with one client id: the one that is taken over stands down instead of fighting for the session. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { connect } from "mqtt";
import { startMosquitto } from "../support/mosquitto.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { connected, eventually, memoryLog, next, openConnection, uniqueId } from "./support.ts";

/** A connection that fights comes back within a second. */
const LONG_ENOUGH_TO_FIGHT_MS = 2_500;

describe("a session that is taken over", { ...requireOrSkip("mosquitto"), concurrency: true }, () => {
  for (const [version, protocol, how] of [
    [5, "5", "as DISCONNECT 142 says"],
    [4, "3.1.1", "as several quick closes tell"],
  ] as const) {
    it(`is left to the other client, ${how}`, async (t) => {
      const mosquitto = await startMosquitto();
      t.after(() => mosquitto.stop());
      const clientId = uniqueId();
      const log = memoryLog();
      let closes = 0;
      const connection = openConnection(t, {
        broker: { url: mosquitto.url, protocol },
        clientId,
        persistent: true,
        log,
        onClose: () => closes++,
      });
      await connected(connection);

      const other = connect(mosquitto.url, { clientId, protocolVersion: version, clean: false, reconnectPeriod: 100 });
      t.after(() => other.endAsync(true));
      other.on("error", () => {});
      await next(other, "connect");
      await eventually(() => connection.state === "taken_over", "the connection stands down", 15_000);
      assert.match(connection.lastError!, new RegExp(`another client connected as ${clientId}`));
      assert.equal(log.lines.filter(({ message }) => message === "mqtt_session_taken_over").length, 1);
      assert.ok(closes > 0);

      await eventually(() => other.connected, "the other client is connected");
      let kicked = false;
      other.on("close", () => {
        kicked = true;
      });
      await delay(LONG_ENOUGH_TO_FIGHT_MS);
      assert.equal(kicked, false);
      assert.equal(connection.state, "taken_over");
      await connection.close();
      assert.equal(connection.state, "closed");
    });
  }
});
