/** A device at ChirpStack v4, JSON encoding. @see https://www.chirpstack.io/docs/chirpstack/integrations/events.html */
import type { SimulatedClient, SimulatedCommand, SimulatedMessage } from "../model.ts";
import { numberIn, objectOf } from "../payload.ts";
import type { Random } from "../random.ts";
import {
  APPLICATION,
  base64Of,
  type Downlink,
  devEui,
  FieldSensor,
  MAX_PAYLOAD_BYTES,
  uuidOf,
} from "./field-sensor.ts";

const TENANT = "52f14cd4-c6f1-4fbd-8f87-4025e1d49242";
const PROFILE = "14855bf7-d10d-4aee-b618-ebfcb64dc7ad";
const GATEWAY = "0016c001f153a14c";
const LORA = { bandwidth: 125_000, spreadingFactor: 7, codeRate: "CR_4_5" };

export class ChirpStackDevice implements SimulatedClient {
  readonly name: string;
  readonly filters: readonly string[];
  readonly #topic: string;
  readonly #devEui: string;
  readonly #devAddr: string;
  readonly #random: Random;
  readonly #sensor: FieldSensor;

  constructor(number: number, random: Random) {
    this.name = `chirpstack-${number}`;
    this.#random = random;
    this.#devEui = devEui(number);
    this.#devAddr = (0x0018_9440 + number).toString(16).padStart(8, "0");
    this.#topic = `application/${APPLICATION}/device/${this.#devEui}`;
    this.filters = [`${this.#topic}/command/down`];
    this.#sensor = new FieldSensor(random);
  }

  connected(now: Date): SimulatedMessage[] {
    return [this.#event("join", { ...this.#deduplicated(now), devAddr: this.#devAddr })];
  }

  tick(now: Date): SimulatedMessage[] {
    const { data, decoded, frameCounter, rssi, snr, acknowledged, sent } = this.#sensor.uplink();
    const up = {
      ...this.#deduplicated(now),
      devAddr: this.#devAddr,
      adr: true,
      dr: 5,
      fCnt: frameCounter,
      fPort: 1,
      confirmed: false,
      data: data.toString("base64"),
      object: decoded,
      rxInfo: [{ gatewayId: GATEWAY, uplinkId: this.#random.integer(1, 65_535), rssi, snr, crcStatus: "CRC_OK" }],
      txInfo: { frequency: 868_100_000, modulation: { lora: LORA } },
    };
    const messages = [this.#event("up", up)];
    if (acknowledged !== undefined) {
      const { id: queueItemId, frameCounter: fCntDown } = acknowledged;
      const ack = { ...this.#deduplicated(now), queueItemId, acknowledged: true, fCntDown };
      messages.push(this.#event("ack", ack));
    }
    if (sent !== undefined) messages.push(this.#transmitted(sent, now));
    return messages;
  }

  command({ payload }: SimulatedCommand, now: Date): SimulatedMessage[] {
    const command = objectOf(payload);
    const data = base64Of(command?.data);
    const port = numberIn(command?.fPort, 1, 255);
    if (command?.devEui !== this.#devEui) return [this.#refused("UNKNOWN", "devEui does not match the topic", now)];
    if (data === undefined) return [this.#refused("DOWNLINK_CODEC", "data: not Base64, and no codec for object", now)];
    if (port === undefined) return [this.#refused("UNKNOWN", "fPort: must be from 1 to 255", now)];
    if (data.length > MAX_PAYLOAD_BYTES) return [this.#refused("DOWNLINK_PAYLOAD_SIZE", "Item discarded", now)];
    const isQueued = this.#sensor.enqueue({
      id: typeof command.id === "string" && command.id !== "" ? command.id : uuidOf(this.#random),
      port: Math.floor(port),
      data,
      isConfirmed: command.confirmed === true,
      correlationIds: [],
      frameCounter: 0,
    });
    return isQueued ? [] : [this.#refused("UNKNOWN", "the queue is full", now)];
  }

  disconnecting(): SimulatedMessage[] {
    return [];
  }

  #transmitted({ id, frameCounter }: Downlink, now: Date): SimulatedMessage {
    return this.#event("txack", {
      downlinkId: this.#random.integer(1, 2 ** 31),
      ...this.#common(now),
      queueItemId: id,
      fCntDown: frameCounter,
      gatewayId: GATEWAY,
      txInfo: { frequency: 868_100_000, power: 16, modulation: { lora: { ...LORA, polarizationInversion: true } } },
    });
  }

  #refused(code: string, description: string, now: Date): SimulatedMessage {
    return this.#event("log", { ...this.#common(now), level: "ERROR", code, description, context: {} });
  }

  #deduplicated(now: Date): object {
    return { deduplicationId: uuidOf(this.#random), ...this.#common(now) };
  }

  #common(now: Date): object {
    return {
      time: now.toISOString(),
      deviceInfo: {
        tenantId: TENANT,
        tenantName: "ChirpStack",
        applicationId: APPLICATION,
        applicationName: "farm",
        deviceProfileId: PROFILE,
        deviceProfileName: "soil sensor with valve",
        deviceName: this.name,
        devEui: this.#devEui,
        deviceClassEnabled: "CLASS_A",
        tags: {},
      },
    };
  }

  #event(name: string, body: object): SimulatedMessage {
    return { topic: `${this.#topic}/event/${name}`, payload: JSON.stringify(body), qos: 0 };
  }
}
