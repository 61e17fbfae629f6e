/** The two ways to run the bridge: on its own, and with Mosquitto and Redis. */

import { startTestBridge, type TestBridge } from "./bridge.ts";
import { type Mosquitto, startMosquitto } from "./mosquitto.ts";
import { startRedis, type TestRedis } from "./redis.ts";
import { requireOrSkip } from "./requirements.ts";

export interface Setup {
  bridge: TestBridge;
  /** Broker URL for clients. */
  brokerUrl: string;
  mosquitto?: Mosquitto;
  redis?: TestRedis;
  close(): Promise<void>;
}

export interface SetupKind {
  name: string;
  /** Options for `describe`: skipped, with the reason, where a program is missing. */
  options: { skip: string | false };
  /** `persistence`: whether Mosquitto writes to disk, which is slow and only needed where it is killed. */
  start(env?: Record<string, string>, broker?: { persistence?: boolean }): Promise<Setup>;
}

export const embedded: SetupKind = {
  name: "embedded broker and store",
  options: { skip: false },
  async start(env = {}) {
    const bridge = await startTestBridge(env);
    return {
      bridge,
      brokerUrl: `mqtt://127.0.0.1:${bridge.brokerPort}`,
      close: async () => {
        if (bridge.running) await bridge.stop();
      },
    };
  },
};

export function mosquittoAndRedis(protocol: "5" | "3.1.1"): SetupKind {
  return {
    name: `Mosquitto with MQTT ${protocol} and Redis`,
    options: requireOrSkip("mosquitto", "redis-server"),
    async start(env = {}, broker = {}) {
      const [mosquitto, redis] = [await startMosquitto(broker), await startRedis()];
      const bridge = await startTestBridge({
        MQTT_URL: mosquitto.url,
        MQTT_PROTOCOL: protocol,
        STORE_URL: redis.url,
        ...env,
      });
      return {
        bridge,
        brokerUrl: mosquitto.url,
        mosquitto,
        redis,
        close: async () => {
          if (bridge.running) await bridge.stop();
          await mosquitto.stop();
          await redis.stop();
        },
      };
    },
  };
}
