/** CBOR (RFC 8949). */
import { type DecodeOptions, decode, encode, Token, Tokenizer, Type } from "cborg";

/** Longer ones are no numbers of devices, and cost quadratic time. */
const MAX_BIGNUM_BYTES = 1_024;
const [INDEFINITE_BYTES, INDEFINITE_TEXT, BREAK] = [0x5f, 0x7f, 0xff];

/** Tags say how to understand a value; JSON keeps the value. Bignums (section 3.4.3) are integers. */
const TAGS = new Proxy<NonNullable<DecodeOptions["tags"]>>(
  {
    2: (content) => bignum(content()),
    3: (content) => -1n - bignum(content()),
  },
  { get: (known, tag) => known[Number(tag)] ?? ((content: () => unknown) => content()) },
);

/** @throws Error if the bytes are not exactly one data item */
export function cborToValue(bytes: Uint8Array): unknown {
  const options: DecodeOptions = { useMaps: true, rejectDuplicateMapKeys: true, allowBigInt: true, tags: TAGS };
  return decode(bytes, { ...options, tokenizer: new ChunkTokenizer(bytes, options) });
}

/** Keeps the order of the members. */
export function valueToCbor(value: unknown): Uint8Array {
  return encode(value, { mapSorter: () => 0 });
}

function bignum(content: unknown): bigint {
  if (!(content instanceof Uint8Array)) throw new Error("a bignum without bytes");
  if (content.length > MAX_BIGNUM_BYTES) throw new Error(`a bignum of more than ${MAX_BIGNUM_BYTES} bytes`);
  return content.length === 0 ? 0n : BigInt(`0x${Buffer.from(content).toString("hex")}`);
}

/** Adds strings of indefinite length (section 3.2.3), which the library refuses. */
class ChunkTokenizer extends Tokenizer {
  override next(): Token {
    const head = this.data[this._pos];
    if (head !== INDEFINITE_BYTES && head !== INDEFINITE_TEXT) return super.next();
    const type = head === INDEFINITE_BYTES ? Type.bytes : Type.string;
    this._pos++;
    const chunks: (string | Uint8Array)[] = [];
    while (this.data[this._pos] !== BREAK) {
      if (this.done()) throw new Error("a string without its end");
      const chunk = super.next();
      if (!Type.equals(chunk.type, type)) throw new Error("a chunk of another type than its string");
      chunks.push(chunk.value as string | Uint8Array);
    }
    this._pos++;
    return new Token(type, type === Type.string ? chunks.join("") : Buffer.concat(chunks as Uint8Array[]), 0);
  }
}
