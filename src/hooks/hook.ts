/** Inbound hook: a URL that another service calls, and the message that each call becomes. */
import { hash, randomBytes } from "node:crypto";
import type { RateLimit } from "../keys/limiter.ts";
import { newId, type QoS } from "../message.ts";

export const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;
export type HookMethod = (typeof METHODS)[number];

export const ALGORITHMS = ["sha256", "sha1", "sha512"] as const;

/** How calls are verified. */
export type Verification =
  | { type: "none" }
  | { type: "standard" | "github" | "gitlab" | "stripe"; secret: string }
  | { type: "meta"; secret: string; verifyToken: string }
  | HmacVerification
  | { type: "basic"; username: string; password: string };

export interface HmacVerification {
  type: "hmac";
  secret: string;
  /** Name of the header with the signature, in lower case. */
  header: string;
  algorithm: (typeof ALGORITHMS)[number];
  encoding: "hex" | "base64";
  /** Text before the signature, such as `sha256=`. */
  prefix: string;
}

/** The record in the store. */
export interface Hook {
  /** `hk_…` */
  id: string;
  /** Name that a caller gave to it. */
  externalId?: string;
  name: string;
  /** Topic name with JSONata in braces. */
  topic: string;
  /** JSONata of the payload; absent: the body of the call. */
  payload?: string;
  qos: QoS;
  retain: boolean;
  verify: Verification;
  methods: HookMethod[];
  /** Whether messages are stored first, or published during the call. */
  durable: boolean;
  rateLimit?: RateLimit;
  /** Last segment of the URL, which only those who call the hook may know. */
  token: string;
  /** Id of the key that created the hook; every publish needs its rights. */
  createdBy: string;
  createdAt: string;
  updatedAt: string;
}

/** Fields that a caller may set; the contract gives their shape, and {@link checkVerification} that of `verify`. */
export interface HookInput {
  name: string;
  externalId?: string;
  topic: string;
  payload?: string;
  qos?: QoS;
  retain?: boolean;
  verify?: VerificationInput;
  methods?: HookMethod[];
  durable?: boolean;
  rateLimit?: RateLimit;
}

/** As defined by the contract; code checks which fields belong to which type, for clear errors. */
export interface VerificationInput {
  type: Verification["type"];
  secret?: string;
  verifyToken?: string;
  header?: string;
  algorithm?: HmacVerification["algorithm"];
  encoding?: HmacVerification["encoding"];
  prefix?: string;
  username?: string;
  password?: string;
}

/** Fields that may be changed; null removes an optional one. */
export type HookPatch = {
  [K in Exclude<keyof HookInput, "externalId">]?: HookInput[K] | (K extends "payload" | "rateLimit" ? null : never);
};

export const MAX_HOOKS = 10_000;
/** Part of the URL before the token. */
export const HOOK_PATH = "/in/";
const TOKEN_BYTES = 32;

/** Digest of a token, under which its hook is found: timing reveals nothing from which a token can be derived. */
export function tokenDigest(token: string): string {
  return hash("sha256", token, "base64url");
}

const DEFAULTS = {
  ...{ qos: 1, retain: false, verify: { type: "none" }, methods: ["POST"], durable: true },
} satisfies HookPatch;

/** `PUT` of a hook as changes: fields that are absent get their defaults. */
export function replacementOf({ externalId: _, ...input }: HookInput): HookPatch & Pick<HookInput, "topic"> {
  return { payload: null, rateLimit: null, ...DEFAULTS, ...input };
}

/** @param input checked @param verify the checked `input.verify` */
export function newHook(input: HookInput, verify: Verification, createdBy: string, now: Date): Hook {
  const { externalId, name, topic, payload, rateLimit } = input;
  const { qos, retain, methods, durable } = { ...DEFAULTS, ...input };
  return {
    id: newId("hk"),
    ...(externalId !== undefined && { externalId }),
    name,
    topic,
    ...(payload !== undefined && { payload }),
    qos,
    retain,
    verify,
    methods: [...new Set(methods)],
    durable,
    ...(rateLimit && { rateLimit }),
    token: randomBytes(TOKEN_BYTES).toString("base64url"),
    createdBy,
    createdAt: now.toISOString(),
    updatedAt: now.toISOString(),
  };
}

/** The hook with the given fields changed. @param verify the checked `patch.verify` */
export function changedHook(hook: Hook, patch: HookPatch, verify: Verification | undefined, now: Date): Hook {
  const { verify: _verify, ...fields } = patch;
  const changed = { ...hook, ...fields, ...(verify && { verify }), updatedAt: now.toISOString() };
  if (fields.methods) changed.methods = [...new Set(fields.methods)];
  return Object.fromEntries(Object.entries(changed).filter(([, value]) => value != null)) as unknown as Hook;
}

/** All fields that are stored in plain text. The others, also those of a newer bridge, are encrypted. */
const OPEN: Record<Exclude<keyof Hook, "verify" | "token">, true> = {
  ...{
    id: true,
    externalId: true,
    name: true,
    topic: true,
    payload: true,
    qos: true,
    retain: true,
    methods: true,
    durable: true,
  },
  ...{ rateLimit: true, createdBy: true, createdAt: true, updatedAt: true },
};

export function openHookFields(hook: Hook): Partial<Hook> {
  return Object.fromEntries(Object.entries(hook).filter(([name]) => Object.hasOwn(OPEN, name)));
}

/** A verification without its secrets. */
export type ShownVerification = Omit<VerificationInput, "secret" | "verifyToken" | "password">;

export interface HookDto extends Pick<Hook, "id" | "name" | "topic" | "qos" | "retain" | "methods" | "durable"> {
  externalId: string | null;
  payload: string | null;
  verify: ShownVerification;
  rateLimit: RateLimit | null;
  /** Path of the URL to call. */
  path: string;
  /** `stopped`: the rights of the key do not suffice any more, and calls are refused. */
  state: "active" | "stopped";
  stoppedReason: string | null;
  createdBy: string;
  createdAt: string;
  updatedAt: string;
}

/** Copies fields by name: all others may be secrets. @param stopped why its calls are refused */
export function toDto(hook: Hook, stopped: string | undefined): HookDto {
  const { id, externalId = null, name, topic, payload = null, qos, retain, verify, methods, durable } = hook;
  const { rateLimit = null, createdBy, createdAt, updatedAt, token } = hook;
  const state = stopped === undefined ? "active" : "stopped";
  return {
    ...{ id, externalId, name, topic, payload, qos, retain, verify: shown(verify), methods, durable, rateLimit },
    ...{ path: HOOK_PATH + token, state, stoppedReason: stopped ?? null, createdBy, createdAt, updatedAt },
  };
}

function shown(verify: Verification): ShownVerification {
  switch (verify.type) {
    case "hmac": {
      const { type, header, algorithm, encoding, prefix } = verify;
      return { type, header, algorithm, encoding, prefix };
    }
    case "basic":
      return { type: verify.type, username: verify.username };
    default:
      return { type: verify.type };
  }
}
