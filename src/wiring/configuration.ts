/** The documents of `CONFIG_DIR`, in processes that serve the API. */
import { ConfigurationFolder } from "../configuration/folder.ts";
import type { Infrastructure } from "./infrastructure.ts";

export type ConfigurationPart = ReturnType<typeof wireConfiguration>;

export function wireConfiguration({ config, log }: Infrastructure, apiKey: string) {
  const { configuration } = config;
  return configuration && new ConfigurationFolder({ ...configuration, apiKey, log });
}
