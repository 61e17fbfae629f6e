/**
 * Which protocol version to try next, as a pure policy.
 *
 * A broker without MQTT 5 may refuse the version, close without CONNACK, or say nothing at all. A refusal is an answer.
 * A close or silence may as well be a broker that is just starting, or we ourselves being slow: it takes two of them
 * to try the other version, and what is found while the broker came and went is asked again at the next reconnect.
 */
export type ProtocolVersion = 4 | 5;

/** What one attempt without success met. */
export interface Attempt {
  /** CONNACK came, or the broker refused us for another reason than the version. */
  answered: boolean;
  /** Nobody was reached: says nothing about versions. */
  transportFailed: boolean;
  refusedVersion: boolean;
}

/** Closes and silences in a row that count as a refusal. */
const SILENCES = 2;

export class Negotiation {
  readonly #fixed: boolean;
  #version: ProtocolVersion;
  #proven: ProtocolVersion | undefined;
  #silences = 0;
  #switches = 0;
  /** The broker was away or answered neither version while this was found out. */
  #unsure = false;

  /** @param known what another connection to the broker has found: with `auto` it is tried first, and counts as found in doubt */
  constructor(protocol: "auto" | "5" | "3.1.1", known: "5" | "3.1.1" = "5") {
    this.#fixed = protocol !== "auto";
    this.#version = (this.#fixed ? protocol : known) === "3.1.1" ? 4 : 5;
    this.#unsure = this.#version === 4;
  }

  /** To try next. */
  get version(): ProtocolVersion {
    return this.#version;
  }

  /** What the broker has accepted last. */
  get proven(): ProtocolVersion | undefined {
    return this.#proven;
  }

  accepted(): void {
    this.#proven = this.#version;
    this.#silences = 0;
    if (this.#switches > 1) this.#unsure = true;
    this.#switches = 0;
  }

  failed({ answered, transportFailed, refusedVersion }: Attempt): void {
    if (this.#fixed) return;
    if (transportFailed) {
      this.#unsure ||= this.#proven === undefined;
      this.#silences = 0;
    } else if (refusedVersion) this.#switch();
    else if (!answered && this.#proven === undefined && ++this.#silences >= SILENCES) this.#switch();
  }

  /** A connection that was up is gone: 3.1.1 found in doubt is asked again whether it is 5. */
  lost(): void {
    if (this.#fixed || this.#version === 5 || !this.#unsure) return;
    this.#version = 5;
    this.#proven = undefined;
    this.#unsure = false;
  }

  #switch(): void {
    this.#version = this.#version === 5 ? 4 : 5;
    this.#silences = 0;
    this.#switches++;
  }
}
