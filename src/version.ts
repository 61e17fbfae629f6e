import { createRequire } from "node:module";

/** package.json is one folder up both from src and from dist. */
const { version } = createRequire(import.meta.url)("../package.json") as { version: string };

/** How Causeway names itself to receivers: `Causeway/<version>`. */
export const userAgent = `Causeway/${version}`;
