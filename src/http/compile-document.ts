/**
 * The last step of `npm run build`: writes the OpenAPI document as JSON beside the compiled code, because parsing the
 * YAML takes half a second of every start.
 */
import { writeFileSync } from "node:fs";
import { COMPILED_DOCUMENT, parseDocument, readYaml } from "./document.ts";

writeFileSync(COMPILED_DOCUMENT, JSON.stringify(await parseDocument(readYaml())));
