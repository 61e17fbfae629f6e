/** The documents of CONFIG_DIR. */
import { resolve } from "node:path";
import { type ConfigurationDocument, DocumentError, readDocuments } from "../configuration/documents.ts";
import { type Mistakes, type Raw, rolesOf } from "./variables.ts";

export interface Configuration {
  readonly folder: string;
  /** Their references are replaced, so they contain secrets. */
  readonly documents: readonly ConfigurationDocument[];
}

/** Reads the documents, in a process that serves the API. References see the variables of the bridge. */
export function readConfiguration(raw: Raw, mistakes: Mistakes): Configuration | undefined {
  if (!raw.CONFIG_DIR || !rolesOf(raw.ROLES).includes("api")) return undefined;
  const folder = resolve(raw.CONFIG_DIR);
  try {
    return { folder, documents: readDocuments([folder], raw) };
  } catch (error) {
    if (!(error instanceof DocumentError)) throw error;
    mistakes.set("CONFIG_DIR", error.message);
    return undefined;
  }
}
