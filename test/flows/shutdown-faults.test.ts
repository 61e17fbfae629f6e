/** SIGTERM under load while Redis or the broker is away or frozen: an orderly end in time, without loss. */
import { describe } from "node:test";
import { requireOrSkip } from "../support/requirements.ts";
import { brokerAway, brokerStalled, endsInTime, redisAway, redisStalled } from "../support/shutdown-faults.ts";

describe("SIGTERM during a fault", { concurrency: true, ...requireOrSkip("mosquitto", "redis-server") }, () =>
  endsInTime([
    ["Redis is away", redisAway, true],
    ["Redis stands still", redisStalled, false],
    ["the broker is away", brokerAway, true],
    ["the broker stands still", brokerStalled, false],
  ]),
);
