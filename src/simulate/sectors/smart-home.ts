/** A home with Zigbee lamps and sensors behind Zigbee2MQTT, and Tasmota plugs, all announced to Home Assistant. */
import type { Sector } from "../model.ts";
import { TasmotaPlug } from "../smart-home/tasmota.ts";
import { ZigbeeGateway } from "../smart-home/zigbee2mqtt.ts";

export const smartHome: Sector = {
  name: "smart-home",
  summary: "Zigbee2MQTT lamps and sensors, Tasmota plugs, Home Assistant discovery",
  description:
    "Simulates a home: lamps and climate sensors behind Zigbee2MQTT, and Tasmota plugs with a meter. All announce " +
    "themselves to Home Assistant.",
  unit: "lamps, sensors and plugs of each kind",
  devices: 1,
  publishes: [
    ["zigbee2mqtt/lamp_1", "state, brightness, color_temp; after each command"],
    ["zigbee2mqtt/climate_1", "temperature, humidity, battery"],
    ["zigbee2mqtt/lamp_1/availability", "online or offline as JSON, retained"],
    ["zigbee2mqtt/bridge/state", "online or offline as JSON, retained; the last will"],
    ["zigbee2mqtt/bridge/devices, bridge/logging", "the devices, retained · why a command failed"],
    ["tele/plug_1/STATE, SENSOR, LWT", "state · power and energy · Online or Offline, retained; the last will"],
    ["stat/plug_1/RESULT, POWER", "after each command"],
    ["homeassistant/COMPONENT/ID/OBJECT/config", "discovery, retained; again when Home Assistant comes online"],
  ],
  obeys: [
    ["zigbee2mqtt/lamp_1/set", '{"state":"ON"}, OFF or TOGGLE; {"brightness":0-254}, {"color_temp":153-500}'],
    ["zigbee2mqtt/lamp_1/get", '{"state":""}: publishes the state'],
    ["zigbee2mqtt/bridge/request/health_check, permit_join", "answered on zigbee2mqtt/bridge/response/…"],
    ["cmnd/plug_1/POWER", "ON, OFF, TOGGLE, or empty to ask; also cmnd/tasmotas/POWER for all plugs"],
    ["cmnd/plug_1/STATE, STATUS, TelePeriod", "answered on stat/plug_1/…"],
    ["homeassistant/status", "online: all devices announce themselves again"],
  ],
  examples: [
    `causeway publish zigbee2mqtt/lamp_1/set '{"state":"ON","brightness":128}'`,
    "causeway publish cmnd/plug_1/POWER TOGGLE",
  ],
  create: ({ devices, random }) => [
    new ZigbeeGateway(devices, random.fork("zigbee")),
    ...Array.from({ length: devices }, (_, i) => new TasmotaPlug(`plug_${i + 1}`, random.fork(`plug_${i + 1}`))),
  ],
};
