/** The sectors of `causeway simulate`. */
import type { Sector } from "./model.ts";
import { chat } from "./sectors/chat.ts";
import { energy } from "./sectors/energy.ts";
import { health } from "./sectors/health.ts";
import { lora } from "./sectors/lora.ts";
import { messenger } from "./sectors/messenger.ts";
import { notifications } from "./sectors/notifications.ts";
import { oilGas } from "./sectors/oil-gas.ts";
import { smartHome } from "./sectors/smart-home.ts";
import { telemetry } from "./sectors/telemetry.ts";
import { vehicle } from "./sectors/vehicle.ts";

export const SECTORS: readonly Sector[] = [
  telemetry,
  vehicle,
  smartHome,
  energy,
  chat,
  notifications,
  health,
  lora,
  messenger,
  oilGas,
];
