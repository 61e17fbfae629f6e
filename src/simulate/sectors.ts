/** The sectors of `causeway simulate`. */
import type { Sector } from "./model.ts";
import { telemetry } from "./sectors/telemetry.ts";

export const SECTORS: readonly Sector[] = [telemetry];
