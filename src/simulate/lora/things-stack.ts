/** A device at The Things Stack. @see https://www.thethingsindustries.com/docs/integrations/data-formats/ */
import type { SimulatedClient, SimulatedCommand, SimulatedMessage } from "../model.ts";
import { type JsonObject, numberIn, objectOf } from "../payload.ts";
import type { Random } from "../random.ts";
import { base64Of, type Downlink, devEui, FieldSensor, MAX_PAYLOAD_BYTES, uuidOf } from "./field-sensor.ts";

const APPLICATION_ID = "farm";
const TENANT_ID = "tenant";
const PRIORITIES = ["LOWEST", "LOW", "BELOW_NORMAL", "NORMAL", "ABOVE_NORMAL", "HIGH", "HIGHEST"];

interface QueuedDownlink extends Downlink {
  priority: string;
}

export class ThingsStackDevice implements SimulatedClient {
  readonly name: string;
  readonly filters: readonly string[];
  readonly #topic: string;
  readonly #random: Random;
  readonly #sensor: FieldSensor;
  readonly #ids: object;
  readonly #session: string;

  constructor(number: number, random: Random) {
    this.name = `field-${number}`;
    this.#random = random;
    this.#topic = `v3/${APPLICATION_ID}@${TENANT_ID}/devices/${this.name}`;
    this.filters = [`${this.#topic}/down/push`, `${this.#topic}/down/replace`];
    this.#sensor = new FieldSensor(random);
    this.#ids = {
      device_id: this.name,
      application_ids: { application_id: APPLICATION_ID },
      dev_eui: devEui(0x8000 + number).toUpperCase(),
      join_eui: "800000000000000C",
      dev_addr: (0x00bc_b900 + number).toString(16).toUpperCase().padStart(8, "0"),
    };
    this.#session = Buffer.from(random.hex(8), "hex").toString("base64");
  }

  connected(now: Date): SimulatedMessage[] {
    const accepted = { session_key_id: this.#session, received_at: now.toISOString() };
    return [this.#event("join", { join_accept: accepted }, now)];
  }

  tick(now: Date): SimulatedMessage[] {
    const { data, decoded, frameCounter, rssi, snr, acknowledged, sent } = this.#sensor.uplink();
    const up = {
      session_key_id: this.#session,
      f_port: 1,
      ...unlessZero("f_cnt", frameCounter),
      frm_payload: data.toString("base64"),
      decoded_payload: decoded,
      rx_metadata: [{ gateway_ids: { gateway_id: "roof", eui: "0016C001F153A14C" }, rssi, channel_rssi: rssi, snr }],
      settings: {
        data_rate: { lora: { bandwidth: 125_000, spreading_factor: 7, coding_rate: "4/5" } },
        frequency: "868100000",
      },
      received_at: now.toISOString(),
      consumed_airtime: "0.056576s",
    };
    const messages = [this.#event("up", { uplink_message: up }, now)];
    if (acknowledged !== undefined) messages.push(this.#state("ack", acknowledged as QueuedDownlink, now));
    if (sent !== undefined) messages.push(this.#state("sent", sent as QueuedDownlink, now));
    return messages;
  }

  command({ topic, payload }: SimulatedCommand, now: Date): SimulatedMessage[] {
    const downlinks = objectOf(payload)?.downlinks;
    // The real server logs what it cannot read, and publishes nothing.
    if (!Array.isArray(downlinks)) return [];
    if (topic.endsWith("/replace")) this.#sensor.clearQueue();
    return downlinks.map((item: unknown) => this.#push(item, now));
  }

  disconnecting(): SimulatedMessage[] {
    return [];
  }

  #push(item: unknown, now: Date): SimulatedMessage {
    const { f_port, frm_payload, confirmed, priority, correlation_ids } = (item ?? {}) as JsonObject;
    const data = base64Of(frm_payload);
    const port = numberIn(f_port, 1, 255);
    const correlationIds = Array.isArray(correlation_ids) ? correlation_ids.map(String).slice(0, 10) : [];
    const downlink: QueuedDownlink = {
      id: uuidOf(this.#random),
      port: Math.floor(port ?? 0),
      data: data ?? Buffer.alloc(0),
      isConfirmed: confirmed === true,
      correlationIds,
      frameCounter: 0,
      priority: PRIORITIES.includes(priority as string) ? (priority as string) : "NORMAL",
    };
    if (port === undefined) return this.#failed(downlink, "invalid_f_port", now);
    if (data === undefined) return this.#failed(downlink, "invalid_frm_payload", now);
    if (data.length > MAX_PAYLOAD_BYTES) return this.#failed(downlink, "downlink_payload_too_long", now);
    if (!this.#sensor.enqueue(downlink)) return this.#failed(downlink, "downlink_queue_full", now);
    return this.#state("queued", downlink, now);
  }

  #state(state: "queued" | "sent" | "ack", downlink: QueuedDownlink, now: Date): SimulatedMessage {
    const sent = { session_key_id: this.#session, ...unlessZero("f_cnt", downlink.frameCounter) };
    const body = { ...bodyOf(downlink), ...(state !== "queued" && sent) };
    return this.#event(`down/${state}`, { [`downlink_${state}`]: body }, now, downlink.correlationIds);
  }

  #failed(downlink: QueuedDownlink, name: string, now: Date): SimulatedMessage {
    const error = { namespace: "pkg/applicationserver", name, code: 3 };
    const body = { downlink: bodyOf(downlink), error };
    return this.#event("down/failed", { downlink_failed: body }, now, downlink.correlationIds);
  }

  #event(name: string, body: object, now: Date, correlationIds: readonly string[] = []): SimulatedMessage {
    const ids = [...correlationIds, `as:up:${uuidOf(this.#random)}`];
    const common = { end_device_ids: this.#ids, correlation_ids: ids, received_at: now.toISOString() };
    return { topic: `${this.#topic}/${name}`, payload: JSON.stringify({ ...common, ...body }), qos: 0 };
  }
}

function bodyOf({ port, data, isConfirmed, priority, correlationIds }: QueuedDownlink): object {
  return {
    f_port: port,
    frm_payload: data.toString("base64"),
    ...(isConfirmed && { confirmed: true }),
    priority,
    ...(correlationIds.length > 0 && { correlation_ids: correlationIds }),
  };
}

/** The Things Stack leaves out empty fields. */
function unlessZero(name: string, value: number): object {
  return value === 0 ? {} : { [name]: value };
}
