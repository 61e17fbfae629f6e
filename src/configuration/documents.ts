/** Configuration files: YAML documents of a kind, with references to secrets. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve, sep } from "node:path";
import { type Document, parseAllDocuments } from "yaml";

export type Fields = Record<string, unknown>;

export type DocumentKind = keyof typeof IDENTITIES;

export interface ConfigurationDocument {
  kind: DocumentKind;
  /** Webhook and hook: `externalId` or `id`. Key: `name`. Unique within its kind. */
  identity: string;
  /** The document without its kind, references replaced. */
  fields: Fields;
}

/** A document or its file is wrong; names both. */
export class DocumentError extends Error {}

const EXTENSION = /\.(?:ya?ml|json)$/;
const IDENTITIES = { Webhook: ["externalId", "id"], Hook: ["externalId", "id"], Key: ["name"] } as const;

/**
 * Reads files, or all `.yaml`, `.yml` and `.json` files of folders and their folders.
 *
 * @param paths `-` is standard input
 * @param stdin the text of standard input
 * @throws DocumentError naming the file and the document
 */
export function readDocuments(paths: readonly string[], env: NodeJS.ProcessEnv, stdin = ""): ConfigurationDocument[] {
  const documents: ConfigurationDocument[] = [];
  const places = new Map<string, string>();
  for (const path of paths.flatMap(filesOf)) {
    const source = path === "-" ? stdin : readText(path);
    for (const [i, one] of parseAllDocuments(source).entries()) {
      const place = `${path === "-" ? "standard input" : path}, document ${i + 1}`;
      const value = parsed(one, place);
      if (value === null) continue;
      const document = toDocument(value, { place, env, folder: path === "-" ? "." : dirname(path) });
      const key = `${document.kind} ${document.identity}`;
      if (places.has(key)) throw new DocumentError(`${place}: ${key} is also in ${places.get(key)}`);
      places.set(key, place);
      documents.push(document);
    }
  }
  return documents;
}

/** Hidden names are left out: in a volume of Kubernetes they are second paths to the same files. */
function filesOf(path: string): string[] {
  if (path === "-") return [path];
  try {
    if (!statSync(path).isDirectory()) return [path];
    return readdirSync(path, { recursive: true, encoding: "utf8" })
      .filter((name) => EXTENSION.test(name) && !name.split(sep).some((part) => part.startsWith(".")))
      .sort()
      .map((name) => join(path, name));
  } catch (error) {
    throw new DocumentError(`${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

function parsed(document: Document.Parsed, place: string): unknown {
  try {
    const [error] = document.errors;
    if (error) throw error;
    // Throws for aliases without an anchor, and for too many.
    return document.toJS();
  } catch (error) {
    throw new DocumentError(`${place}: ${(error as Error).message.split("\n")[0]}`);
  }
}

interface Origin {
  /** File and document, for messages. */
  place: string;
  env: NodeJS.ProcessEnv;
  /** Where paths of references begin. */
  folder: string;
}

function toDocument(value: unknown, origin: Origin): ConfigurationDocument {
  const { place } = origin;
  if (!isObject(value)) throw new DocumentError(`${place}: must be an object with a kind: Webhook, Hook or Key`);
  const { kind, ...raw } = value;
  if (!isKind(kind)) throw new DocumentError(`${place}: kind must be Webhook, Hook or Key`);
  const names: readonly string[] = IDENTITIES[kind];
  const fields = withReferences(raw, "", origin) as Fields;
  const identity = names.map((name) => fields[name]).find((one) => typeof one === "string" && one !== "");
  if (identity === undefined) throw new DocumentError(`${place}: ${names.join(" or ")} is required`);
  return { kind, identity: identity as string, fields };
}

function isKind(value: unknown): value is DocumentKind {
  return typeof value === "string" && Object.hasOwn(IDENTITIES, value);
}

const REFERENCE = /\$\{(env|file):([^}]+)\}/g;

/** Replaces `${env:NAME}` and `${file:PATH}` in every text. */
function withReferences(value: unknown, path: string, origin: Origin): unknown {
  if (typeof value === "string") {
    const { place, env, folder } = origin;
    return value.replace(REFERENCE, (_, source: string, name: string) => {
      if (source === "file") return readText(resolve(folder, name), `${place}: ${path}: `).replace(/\r?\n$/, "");
      const found = env[name];
      if (found === undefined)
        throw new DocumentError(`${place}: ${path}: the environment variable ${name} is not set`);
      return found;
    });
  }
  if (Array.isArray(value)) return value.map((one, i) => withReferences(one, `${path}[${i}]`, origin));
  if (!isObject(value)) return value;
  const below = (name: string) => (path === "" ? name : `${path}.${name}`);
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, withReferences(one, below(name), origin)]),
  );
}

function readText(path: string, before = ""): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new DocumentError(`${before}${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
