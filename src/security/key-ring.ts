/** Encryption of what is secret in the store: AES-256-GCM under the first of several keys; all of them decrypt. */
import { createCipheriv, createDecipheriv, randomBytes, scrypt } from "node:crypto";
import { promisify } from "node:util";
import { CannotStartError } from "../errors.ts";

const CIPHER = "aes-256-gcm";
const [KEY_BYTES, ID_BYTES, IV_BYTES, TAG_BYTES] = [32, 4, 12, 16];
/** Form of the text, so that a later bridge can tell it from another one. */
const FORM = "v1";
/**
 * The same for everybody, since a key must give the same bytes in every process that shares a store. scrypt makes a
 * sentence that a person thought of dearer to guess; for a random key it changes nothing.
 */
const SALT = "causeway secrets 1";

/** Something sealed that no key opens. Ends a start with 78; the message holds no key. */
export class SecretsKeyError extends CannotStartError {
  override name = "SecretsKeyError";
}

interface Key {
  /** Names the key without telling it. */
  id: string;
  bytes: Buffer;
}

export class KeyRing {
  private constructor(private readonly keys: readonly Key[]) {}

  /** @param texts as in SECRETS_KEY, the one that encrypts first; none: nothing is encrypted */
  static async from(texts: readonly string[]): Promise<KeyRing> {
    return new KeyRing(await Promise.all(texts.map(derive)));
  }

  /** Whether it encrypts at all. */
  get seals(): boolean {
    return this.keys.length > 0;
  }

  /**
   * @param owner whose secret it is; opens for this owner alone. Must not be called when {@link seals} is false.
   */
  seal(text: string, owner: string): string {
    const [{ id, bytes }] = this.keys as readonly [Key];
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(CIPHER, bytes, iv).setAAD(Buffer.from(owner));
    const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
    return `${FORM}.${id}.${Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString("base64url")}`;
  }

  /** @throws SecretsKeyError when the key is not here, or the text was altered or belongs to somebody else */
  open(sealed: string, owner: string): string {
    const [form, id, body = ""] = sealed.split(".");
    const key = this.keys.find((one) => one.id === id);
    if (form !== FORM || !key) throw new SecretsKeyError(this.#missing(owner));
    const bytes = Buffer.from(body, "base64url");
    try {
      const decipher = createDecipheriv(CIPHER, key.bytes, bytes.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES });
      decipher.setAAD(Buffer.from(owner)).setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
      return Buffer.concat([decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]).toString("utf8");
    } catch {
      throw new SecretsKeyError(`the secrets of ${owner} were altered in the store: SECRETS_KEY does not open them`);
    }
  }

  /** Whether a text is sealed with the key that encrypts now. */
  isCurrent(sealed: string): boolean {
    return sealed.startsWith(`${FORM}.${this.keys[0]?.id}.`);
  }

  #missing(owner: string): string {
    if (!this.seals) return `SECRETS_KEY is not set, and the secrets of ${owner} in the store are encrypted with it`;
    return (
      `SECRETS_KEY: none of the keys given opens the secrets of ${owner} in the store. Give the key that they were ` +
      "encrypted with, behind the new one and a comma if it was replaced"
    );
  }
}

async function derive(text: string): Promise<Key> {
  const bytes = (await promisify(scrypt)(text, SALT, KEY_BYTES + ID_BYTES)) as Buffer;
  return { id: bytes.subarray(KEY_BYTES).toString("hex"), bytes: bytes.subarray(0, KEY_BYTES) };
}
