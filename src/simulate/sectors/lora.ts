/** LoRaWAN sensors with a valve, behind the two network servers that most people run. */
import { ChirpStackDevice } from "../lora/chirpstack.ts";
import { APPLICATION, devEui } from "../lora/field-sensor.ts";
import { ThingsStackDevice } from "../lora/things-stack.ts";
import type { Sector } from "../model.ts";

const CHIRPSTACK = `application/${APPLICATION}/device/${devEui(1)}`;
const THINGS_STACK = "v3/farm@tenant/devices/field-1";

export const lora: Sector = {
  name: "lora",
  summary: "LoRaWAN sensors behind ChirpStack and The Things Stack, with downlinks",
  description:
    "Simulates LoRaWAN soil sensors with a valve, at ChirpStack v4 and at The Things Stack. They are class A: a " +
    "downlink waits for the next uplink, and a confirmed one is acknowledged with the uplink after it.",
  unit: "sensors at each network server",
  devices: 1,
  publishes: [
    [`${CHIRPSTACK}/event/up`, "uplink: data in Base64, decoded in object; join at the start"],
    [`${CHIRPSTACK}/event/txack, ack, log`, "downlink sent · confirmed · refused"],
    [`${THINGS_STACK}/up`, "uplink: frm_payload, decoded_payload; join at the start"],
    [`${THINGS_STACK}/down/queued, sent, ack, failed`, "the states of a downlink"],
  ],
  obeys: [
    [
      `${CHIRPSTACK}/command/down`,
      `{"devEui":"${devEui(1)}","confirmed":true,"fPort":10,"data":"AQ=="}: AQ== opens the valve, AA== closes it`,
    ],
    [
      `${THINGS_STACK}/down/push, replace`,
      '{"downlinks":[{"f_port":10,"frm_payload":"AQ==","confirmed":true}]}; replace empties the queue first',
    ],
  ],
  examples: [
    `causeway publish ${CHIRPSTACK}/command/down '{"devEui":"${devEui(1)}","confirmed":true,"fPort":10,"data":"AQ=="}'`,
    `causeway publish ${THINGS_STACK}/down/push '{"downlinks":[{"f_port":10,"frm_payload":"AQ==","confirmed":true}]}'`,
  ],
  create: ({ devices, random }) =>
    Array.from({ length: devices }, (_, i) => [
      new ChirpStackDevice(i + 1, random.fork(`chirpstack ${i}`)),
      new ThingsStackDevice(i + 1, random.fork(`things-stack ${i}`)),
    ]).flat(),
};
