/** Reads a body up to a limit. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { BodyAlreadyRead, RefusedCall } from "./errors.ts";

/** A request of Node.js, as a framework may have changed it. */
export type NodeRequest = IncomingMessage & {
  /** Set by body parsers. */
  body?: unknown;
  /** Set by frameworks that keep the bytes, e.g. Nest with `rawBody: true`. */
  rawBody?: unknown;
};

export type NodeHandler = (request: NodeRequest, response: ServerResponse) => Promise<void>;

export async function readFetchBody(request: Request, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  if (request.bodyUsed) throw new BodyAlreadyRead();
  const chunks = new Chunks(maxBytes, request.headers.get("content-length"));
  try {
    if (request.body) for await (const chunk of request.body) chunks.add(chunk);
  } catch (error) {
    throw error instanceof RefusedCall ? error : incomplete();
  }
  return chunks.joined();
}

export async function readNodeBody(request: NodeRequest, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const chunks = new Chunks(maxBytes, request.headers["content-length"]);
  const given = [request.rawBody, request.body].find((body) => body instanceof Uint8Array);
  if (given instanceof Uint8Array) chunks.add(given);
  else if (request.readableDidRead) throw new BodyAlreadyRead();
  else await readAll(request, chunks);
  return chunks.joined();
}

/** Leaves a request that is too large open: leaving a `for await` loop would destroy it before the response is sent. */
function readAll(request: IncomingMessage, chunks: Chunks): Promise<void> {
  return new Promise((resolve, reject) => {
    const onData = (chunk: Uint8Array) => {
      try {
        chunks.add(chunk);
      } catch (error) {
        request.off("data", onData).resume();
        reject(error);
      }
    };
    const onBroken = () => reject(incomplete());
    if (request.destroyed) onBroken();
    request.on("data", onData).once("end", resolve).once("error", onBroken).once("close", onBroken);
  });
}

function incomplete(): RefusedCall {
  return new RefusedCall(400, "the body is incomplete");
}

class Chunks {
  readonly #chunks: Uint8Array[] = [];
  #length = 0;

  /** @param declaredLength the `Content-Length`, which refuses a large body unread */
  constructor(
    private readonly maxBytes: number,
    declaredLength: string | null | undefined,
  ) {
    this.#check(Number(declaredLength ?? 0));
  }

  add(chunk: Uint8Array): void {
    this.#length += chunk.length;
    this.#check(this.#length);
    this.#chunks.push(chunk);
  }

  joined(): Uint8Array<ArrayBuffer> {
    const all = new Uint8Array(this.#length);
    let at = 0;
    for (const chunk of this.#chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }

  #check(length: number): void {
    if (length > this.maxBytes) throw new RefusedCall(413, `the body has more than ${this.maxBytes} bytes`);
  }
}
