/** The documents of `CONFIG_DIR`, which the bridge applies to itself once at every start. */
import { Causeway, CausewayConnectionError, CausewayError, isCausewayError } from "../client/index.ts";
import { isTransient } from "../client/retry.ts";
import { retryForever } from "../lib/retry-forever.ts";
import { reasonOf } from "../security/redaction.ts";
import { carryOut, readCurrent } from "./apply.ts";
import { changesOf, type Difference } from "./changes.ts";
import { type ConfigurationDocument, DocumentError } from "./documents.ts";

/** A document that the API refuses, or that only a person can apply. */
interface RefusedDocument {
  kind: string;
  identity: string;
  /** Code of the contract. */
  code: string;
  detail: string;
}

export interface ConfigurationStatus {
  folder: string;
  state: "applying" | "applied" | "partly";
  appliedAt: string | null;
  documents: number;
  created: number;
  updated: number;
  unchanged: number;
  refused: readonly RefusedDocument[];
}

export interface ConfigurationFolderOptions {
  folder: string;
  documents: readonly ConfigurationDocument[];
  apiKey: string;
  log: { info(fields: object, event: string): void; warn(fields: object, event: string): void };
}

/** Pauses while the store is unavailable. */
const BACKOFF = { firstMs: 250, maxMs: 10_000 };

export class ConfigurationFolder {
  readonly #stop = new AbortController();
  /** The first change of each document by this start, kept when it has to begin again. */
  readonly #changed = new Map<string, "create" | "update">();
  #refused: readonly RefusedDocument[] = [];
  #appliedAt: Date | undefined;

  constructor(private readonly options: ConfigurationFolderOptions) {}

  get status(): ConfigurationStatus {
    const { folder, documents } = this.options;
    const refused = this.#refused;
    const changes = [...this.#changed.values()];
    const different = new Set([...this.#changed.keys(), ...refused.map(nameOf)]);
    return {
      folder,
      state: !this.#appliedAt ? "applying" : refused.length > 0 ? "partly" : "applied",
      appliedAt: this.#appliedAt?.toISOString() ?? null,
      documents: documents.length,
      created: changes.filter((change) => change === "create").length,
      updated: changes.filter((change) => change === "update").length,
      unchanged: this.#appliedAt ? documents.length - different.size : 0,
      refused,
    };
  }

  /**
   * Applies the documents in the background: neither a slow nor an unavailable store holds up the start.
   * @param url address of the API of this process
   */
  start(url: string): void {
    const { apiKey, log } = this.options;
    const { signal } = this.#stop;
    const stoppable: typeof fetch = (input, init) =>
      fetch(input, { ...init, signal: AbortSignal.any([signal, ...(init?.signal ? [init.signal] : [])]) });
    const causeway = new Causeway({ url, apiKey, fetch: stoppable, retries: 0 });
    const onError = (error: unknown) => {
      if (!signal.aborted) log.warn({ error: reasonOf(error) }, "configuration_postponed");
    };
    // Rejects only when the process stops.
    void retryForever(() => this.#applyAll(causeway), { backoff: BACKOFF, signal, onError }).catch(() => undefined);
  }

  stop(): void {
    this.#stop.abort();
  }

  async #applyAll(causeway: Causeway): Promise<void> {
    const { documents, log } = this.options;
    const refused: RefusedDocument[] = [];
    for (const change of changesOf(documents, await readCurrent(causeway, documents))) {
      const refusal = await this.#apply(causeway, change);
      if (refusal) refused.push(refusal);
    }
    for (const refusal of refused) log.warn(refusal, "configuration_refused");
    this.#refused = refused;
    this.#appliedAt = new Date();
    const { refused: _, appliedAt: _at, ...counts } = this.status;
    log.info({ ...counts, refused: refused.length }, "configuration_applied");
  }

  /** @throws the error of a call that may succeed later */
  async #apply(causeway: Causeway, change: Difference): Promise<RefusedDocument | undefined> {
    const { kind, identity, action, fields } = change;
    const refusal = (code: string, detail: string) => ({ kind, identity, code, detail });
    if (action === "conflict") {
      const names = Object.keys(fields).join(", ");
      return refusal("conflict", `the key differs in ${names}; a key cannot be changed: delete it or rename this one`);
    }
    if (kind === "Key") {
      return refusal(
        "not_found",
        "there is no key of this name; create it with causeway apply, which shows its text once",
      );
    }
    try {
      await carryOut(causeway, change);
    } catch (error) {
      // A conflict is a change by another instance at the same moment.
      const isOutage = error instanceof CausewayConnectionError || isTransient(error);
      if (isOutage || isCausewayError(error, "conflict")) throw error;
      if (error instanceof CausewayError) return refusal(error.code ?? `http_${error.status}`, error.detail);
      // The client refuses external ids that cannot be part of a path.
      return refusal(error instanceof DocumentError ? "not_found" : "invalid_request", reasonOf(error));
    }
    const name = nameOf(change);
    if (action !== "delete" && !this.#changed.has(name)) this.#changed.set(name, action);
    return undefined;
  }
}

function nameOf({ kind, identity }: Pick<RefusedDocument, "kind" | "identity">): string {
  return `${kind} ${identity}`;
}
