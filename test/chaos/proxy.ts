/** A TCP proxy on loopback that cuts, stalls, delays and resets the connections through it. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** Receives a copy of all passed data in order. One per connection. */
export interface Tap {
  toTarget(chunk: Buffer): void;
  toClient(chunk: Buffer): void;
}

export interface TcpProxy {
  readonly port: number;
  /** Resets existing and new connections. */
  cut(): void;
  /** Keeps connections and accepts new ones, but passes no data. */
  stall(): void;
  /** Passes all data this many milliseconds late. */
  delay(ms: number): void;
  /** Resets the existing connections. */
  reset(): void;
  /** Passes all data at once again, held data first. */
  pass(): void;
  close(): Promise<void>;
}

/** Bytes held per direction before the proxy stops reading. */
const MAX_HELD = 1024 * 1024;

/** @param tap called for each connection to the target */
export async function startProxy(targetPort: number, tap?: () => Tap): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  const line: Line = { open: true, stalled: false, delayMs: 0 };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    if (!line.open) return void client.resetAndDestroy();
    const pair = new Pair(client, targetPort, line, tap);
    pairs.add(pair);
    client.on("close", () => pairs.delete(pair));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  function change(next: Partial<Line>): void {
    Object.assign(line, next);
    for (const pair of pairs) pair.changed();
  }
  const reset = () => {
    for (const pair of pairs) pair.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut() {
      change({ open: false });
      reset();
    },
    stall: () => change({ stalled: true }),
    delay: (ms) => change({ delayMs: ms }),
    reset,
    pass: () => change({ open: true, stalled: false, delayMs: 0 }),
    async close() {
      const closed = once(server, "close");
      server.close();
      reset();
      await closed;
    },
  };
}

interface Line {
  open: boolean;
  stalled: boolean;
  delayMs: number;
}

class Pair {
  readonly #sockets: Socket[];
  readonly #flows: Flow[] = [];
  #connected = false;

  constructor(
    client: Socket,
    private readonly targetPort: number,
    private readonly line: Line,
    private readonly tap: (() => Tap) | undefined,
  ) {
    this.#sockets = [client];
    this.#watch(client);
    this.changed();
  }

  changed(): void {
    if (!this.#connected && !this.line.stalled) this.#connect();
    for (const flow of this.#flows) flow.changed();
  }

  destroy(): void {
    for (const socket of this.#sockets) {
      // A reset during a pending end fails; Node would then never close the socket, and the process would never exit.
      if (socket.writableEnded) socket.destroy();
      else socket.resetAndDestroy();
    }
  }

  #connect(): void {
    this.#connected = true;
    const [client] = this.#sockets as [Socket];
    if (client.destroyed) return;
    const target = connect({ port: this.targetPort, host: "127.0.0.1", allowHalfOpen: true });
    this.#sockets.push(target);
    this.#watch(target);
    const tap = this.tap?.();
    const [there, back] = [new Flow(client, target, this.line), new Flow(target, client, this.line)];
    if (tap) [there.passed, back.passed] = [tap.toTarget, tap.toClient];
    this.#flows.push(there, back);
  }

  #watch(socket: Socket): void {
    socket.setNoDelay(true);
    socket.on("error", () => this.destroy());
    // After an orderly end of one side, its end has been passed on already.
    socket.on("close", (hadError) => hadError && this.destroy());
  }
}

/** One direction of a connection; an `undefined` chunk means its end. */
class Flow {
  passed: ((chunk: Buffer) => void) | undefined;
  readonly #held: { due: number; chunk: Buffer | undefined }[] = [];
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly from: Socket,
    private readonly to: Socket,
    private readonly line: Line,
  ) {
    from.on("data", (chunk: Buffer) => this.#take(chunk));
    from.on("end", () => this.#take(undefined));
    to.on("close", () => {
      clearTimeout(this.#timer);
      this.#held.length = 0;
    });
    to.on("drain", () => this.changed());
  }

  changed(): void {
    clearTimeout(this.#timer);
    if (this.line.stalled) return void this.from.pause();
    const now = Date.now();
    for (let [head] = this.#held; head; [head] = this.#held) {
      const wait = this.line.delayMs === 0 ? 0 : head.due - now;
      if (wait > 0) {
        this.#timer = setTimeout(() => this.changed(), wait);
        break;
      }
      this.#held.shift();
      this.#bytes -= head.chunk?.length ?? 0;
      if (head.chunk) {
        this.passed?.(head.chunk);
        this.to.write(head.chunk);
      } else this.to.end();
    }
    if (this.#bytes < MAX_HELD && !this.to.writableNeedDrain) this.from.resume();
  }

  #take(chunk: Buffer | undefined): void {
    this.#held.push({ due: Date.now() + this.line.delayMs, chunk });
    this.#bytes += chunk?.length ?? 0;
    if (this.#bytes >= MAX_HELD || this.to.writableNeedDrain) this.from.pause();
    this.changed();
  }
}
