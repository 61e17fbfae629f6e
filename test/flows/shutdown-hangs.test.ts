/** SIGTERM under load while the receiver hangs: an orderly end in time, without loss. */
import { describe } from "node:test";
import { requireOrSkip } from "../support/requirements.ts";
import { all, brokerStalled, endsInTime, receiverHangs, redisStalled } from "../support/shutdown-faults.ts";

const everything = all(receiverHangs, redisStalled, brokerStalled);

describe("SIGTERM during a fault", { concurrency: true, ...requireOrSkip("mosquitto", "redis-server") }, () =>
  endsInTime([
    ["the receiver hangs", receiverHangs, false],
    ["the receiver hangs, Redis and the broker stand still", everything, false],
  ]),
);
