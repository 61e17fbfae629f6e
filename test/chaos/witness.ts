/**
 * Observes the traffic between the bridges and the broker, and records the packets of each message with their times, so
 * that losses can be attributed by evidence. It reads a copy; the bytes pass unchanged.
 */
import mqttPacket, { type IConnectPacket, type Packet } from "mqtt-packet";
import type { Tap } from "./proxy.ts";

/** A packet of a message's exchange. The sender follows from the sender of PUBLISH. */
export interface Passage {
  cmd: "publish" | "puback" | "pubrec" | "pubrel" | "pubcomp";
  packetId: number;
  /** When it was passed on; milliseconds since the epoch. */
  at: number;
  /** When its connection was made, which identifies the run of the broker, however late the packet passed. */
  connectedAt: number;
}

/** Payloads by packet identifier, for the identifiers of each side. */
interface Session {
  fromBridge: Map<number, string>;
  fromBroker: Map<number, string>;
}

/** Client ids of sessions that a bridge must resume. */
const LASTING = /-uplink-\d+$/;
const EXCHANGE: ReadonlySet<string> = new Set(["publish", "puback", "pubrec", "pubrel", "pubcomp"]);

export class Witness {
  /** Parse errors: the rest of that connection was not recorded. */
  readonly trouble: string[] = [];
  readonly #passages = new Map<string, Passage[]>();
  /** Session of the latest connection, by client identifier. */
  readonly #sessions = new Map<string, Session>();

  /** @returns all passages of a message, in order */
  of(payload: string): readonly Passage[] {
    return this.#passages.get(payload) ?? [];
  }

  /** Creates the tap for one connection of a bridge to the broker. */
  connection(): Tap {
    const connectedAt = Date.now();
    let session: Session = { fromBridge: new Map(), fromBroker: new Map() };
    // CONNECT determines the protocol version of both sides.
    const settings = { protocolVersion: 4 };
    const reader = (from: keyof Session) => {
      const parser = mqttPacket.parser(settings);
      let readable = true;
      parser.on("packet", (packet: Packet) => {
        if (packet.cmd === "connect") {
          settings.protocolVersion = packet.protocolVersion ?? 4;
          session = this.#begin(packet);
        } else if (EXCHANGE.has(packet.cmd)) this.#note(packet, from, session, connectedAt);
      });
      parser.on("error", (error: Error) => {
        readable = false;
        this.trouble.push(
          `the witness cannot read ${from === "fromBridge" ? "a bridge" : "the broker"}: ${error.message}`,
        );
      });
      return (chunk: Buffer) => void (readable && parser.parse(Buffer.from(chunk)));
    };
    return { toTarget: reader("fromBridge"), toClient: reader("fromBroker") };
  }

  #begin({ clientId, clean }: IConnectPacket): Session {
    // A clean start discards the broker's session, which would look as if the broker had forgotten it.
    if (clean && LASTING.test(clientId) && this.#sessions.has(clientId)) {
      this.trouble.push(`a bridge began the session ${clientId} anew`);
    }
    const earlier = clean ? undefined : this.#sessions.get(clientId);
    // A copy: late packets of the earlier connection refer to its own identifiers.
    const session = { fromBridge: new Map(earlier?.fromBridge), fromBroker: new Map(earlier?.fromBroker) };
    this.#sessions.set(clientId, session);
    return session;
  }

  #note(packet: Packet, from: keyof Session, session: Session, connectedAt: number): void {
    const cmd = packet.cmd as Passage["cmd"];
    const packetId = packet.messageId ?? 0;
    const other = from === "fromBridge" ? "fromBroker" : "fromBridge";
    if (packet.cmd === "publish") session[from].set(packetId, packet.payload.toString());
    const payload = session[cmd === "publish" || cmd === "pubrel" ? from : other].get(packetId);
    if (payload === undefined) return;
    const passage = { cmd, packetId, at: Date.now(), connectedAt };
    const earlier = this.#passages.get(payload);
    if (earlier) earlier.push(passage);
    else this.#passages.set(payload, [passage]);
  }
}
