import { createRequire } from "node:module";

/** package.json is one folder up from both src and dist. */
const { version } = createRequire(import.meta.url)("../package.json") as { version: string };

/** Causeway's User-Agent towards receivers: `Causeway/<version>`. */
export const userAgent = `Causeway/${version}`;
