import { createRequire } from "node:module";

/** package.json is two folders up both from src/uplink and from dist/uplink. */
const { version } = createRequire(import.meta.url)("../../package.json") as { version: string };

/** How Causeway names itself to receivers: `Causeway/<version>`. */
export const userAgent = `Causeway/${version}`;
