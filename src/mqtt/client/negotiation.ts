/**
 * Chooses the protocol version to try next. Pure policy.
 *
 * A broker without MQTT 5 may refuse the version, close without CONNACK, or not answer at all. A refusal is conclusive.
 * A close or a timeout may also mean that the broker is starting or that the bridge is slow: two of them are needed to
 * switch to the other version, and a result found while the broker came and went is checked again at the next
 * reconnect.
 */
export type ProtocolVersion = 4 | 5;

/** Outcome of one failed attempt. */
export interface ConnectAttempt {
  /** CONNACK arrived, or the broker refused the connection. */
  answered: boolean;
  /** No connection was made at the transport level, which says nothing about versions. */
  transportFailed: boolean;
  refusedVersion: boolean;
}

/** Consecutive closes and timeouts without CONNACK that count as a refusal. */
const SILENCES = 2;

export class Negotiation {
  readonly #fixed: boolean;
  #version: ProtocolVersion;
  #proven: ProtocolVersion | undefined;
  #silences = 0;
  #switches = 0;
  /** The broker was unavailable or answered neither version while the version was determined. */
  #unsure = false;

  /** @param known the version found by another connection: with `auto` it is tried first, and 3.1.1 counts as unsure */
  constructor(protocol: "auto" | "5" | "3.1.1", known: "5" | "3.1.1" = "5") {
    this.#fixed = protocol !== "auto";
    this.#version = (this.#fixed ? protocol : known) === "3.1.1" ? 4 : 5;
    this.#unsure = this.#version === 4;
  }

  /** Version to try next. */
  get version(): ProtocolVersion {
    return this.#version;
  }

  /** Version that the broker last accepted. */
  get proven(): ProtocolVersion | undefined {
    return this.#proven;
  }

  accepted(): void {
    this.#proven = this.#version;
    this.#silences = 0;
    if (this.#switches > 1) this.#unsure = true;
    this.#switches = 0;
  }

  failed({ answered, transportFailed, refusedVersion }: ConnectAttempt): void {
    if (this.#fixed) return;
    if (transportFailed) {
      this.#unsure ||= this.#proven === undefined;
      this.#silences = 0;
    } else if (refusedVersion) this.#switch();
    else if (!answered && this.#proven === undefined && ++this.#silences >= SILENCES) this.#switch();
  }

  /** An established connection was lost: if 3.1.1 is unsure, MQTT 5 is tried again. */
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
