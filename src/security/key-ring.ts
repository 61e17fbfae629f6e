/** Encrypts the secrets in the store: AES-256-GCM with the first of several keys; all of them decrypt. */
import { createCipheriv, createDecipheriv, randomBytes, scrypt } from "node:crypto";
import { promisify } from "node:util";
import { CannotStartError } from "../errors.ts";

const CIPHER = "aes-256-gcm";
const [KEY_BYTES, ID_BYTES, IV_BYTES, TAG_BYTES] = [32, 4, 12, 16];
/** Version of the encrypted text's format, by which a later bridge can distinguish formats. */
const FORM = "v1";
/**
 * Constant, because a key must derive the same bytes in every process that shares a store. scrypt makes a passphrase
 * more expensive to guess; for a random key it makes no difference.
 */
const SALT = "causeway secrets 1";

/** None of the keys decrypts an encrypted text. Exit code 78 at startup. The message contains no key. */
export class SecretsKeyError extends CannotStartError {
  override name = "SecretsKeyError";
}

interface Key {
  /** Identifies the key without revealing it. */
  id: string;
  bytes: Buffer;
}

export class KeyRing {
  private constructor(private readonly keys: readonly Key[]) {}

  /** @param texts keys as in SECRETS_KEY, the encrypting one first; without keys nothing is encrypted */
  static async from(texts: readonly string[]): Promise<KeyRing> {
    return new KeyRing(await Promise.all(texts.map(derive)));
  }

  /** Whether the ring has a key to encrypt with. */
  get seals(): boolean {
    return this.keys.length > 0;
  }

  /**
   * Encrypts a secret. Must not be called when {@link seals} is false.
   * @param owner owner of the secret; decryption requires the same owner
   */
  seal(text: string, owner: string): string {
    const [{ id, bytes }] = this.keys as readonly [Key];
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(CIPHER, bytes, iv).setAAD(Buffer.from(owner));
    const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
    return `${FORM}.${id}.${Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString("base64url")}`;
  }

  /** Decrypts. @throws SecretsKeyError when the key is missing, the text was altered, or the owner differs */
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

  /** Returns whether a text is encrypted with the current first key. */
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
