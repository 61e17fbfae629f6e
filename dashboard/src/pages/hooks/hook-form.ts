/** Entries of the form of a hook, and the calls of the API that they become. Pure. */
import type { Hook, HookInput, HookPatch, SampleCall } from "causeway-mqtt/client";

export type Method = Hook["methods"][number];
export type VerifyType = Hook["verify"]["type"];

export const METHODS: readonly Method[] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

type VerifyField = "secret" | "header" | "algorithm" | "encoding" | "prefix" | "username" | "password";

/** How calls can be verified: the words of the choice, and the fields that it needs. */
export const VERIFICATIONS: readonly (readonly [type: VerifyType, words: string, fields: readonly VerifyField[]])[] = [
  ["none", "Only by the secret address", []],
  ["standard", "Standard Webhooks signature", ["secret"]],
  ["github", "GitHub signature", ["secret"]],
  ["gitlab", "GitLab secret token", ["secret"]],
  ["stripe", "Stripe signature", ["secret"]],
  ["hmac", "HMAC in a header", ["secret", "header", "algorithm", "encoding", "prefix"]],
  ["basic", "User name and password", ["username", "password"]],
];

/** Texts as typed. */
export interface HookDraft {
  name: string;
  topic: string;
  /** Empty: the body of the call. */
  payload: string;
  qos: "0" | "1" | "2";
  retain: boolean;
  /** `keep`: the stored verification stays, with its secret. */
  verify: VerifyType | "keep";
  secret: string;
  header: string;
  algorithm: string;
  encoding: string;
  prefix: string;
  username: string;
  password: string;
  methods: readonly Method[];
  durable: boolean;
  rateMax: string;
  ratePerSeconds: string;
}

export const NEW_HOOK: HookDraft = {
  ...{ name: "", topic: "", payload: "", qos: "1", retain: false, verify: "none" },
  ...{ secret: "", header: "", algorithm: "sha256", encoding: "hex", prefix: "", username: "", password: "" },
  ...{ methods: ["POST"], durable: true, rateMax: "", ratePerSeconds: "1" },
};

/** A part of the form. */
export interface PartProps {
  draft: HookDraft;
  errors: Readonly<Record<string, string>>;
  onChange: (part: Partial<HookDraft>) => void;
}

/** The call that a hook is tried with. */
export interface CallDraft {
  method: Method;
  query: string;
  /** A line such as `X-GitHub-Event: push` for each. */
  headers: string;
  body: string;
}

export function draftOf(hook: Hook): HookDraft {
  const { name, topic, payload, qos, retain, verify, methods, durable, rateLimit } = hook;
  return {
    ...NEW_HOOK,
    ...{ name, topic, payload: payload ?? "", qos: `${qos}` as HookDraft["qos"], retain, methods, durable },
    verify: verify.type === "none" ? "none" : "keep",
    ...(rateLimit && { rateMax: `${rateLimit.max}`, ratePerSeconds: `${rateLimit.perSeconds}` }),
  };
}

export function fieldsOf(type: HookDraft["verify"]): readonly VerifyField[] {
  return VERIFICATIONS.find(([one]) => one === type)?.[2] ?? [];
}

function settingsOf(draft: HookDraft) {
  const { name, topic, payload, qos, retain, methods, durable } = draft;
  return {
    name: name.trim(),
    topic: topic.trim(),
    payload: payload.trim() || null,
    qos: Number(qos) as 0 | 1 | 2,
    retain,
    methods: METHODS.filter((method) => methods.includes(method)),
    durable,
    rateLimit: rateLimitOf(draft),
  } satisfies HookPatch;
}

function verifyOf(draft: HookDraft): HookInput["verify"] | undefined {
  if (draft.verify === "keep") return undefined;
  const given = fieldsOf(draft.verify).filter((field) => draft[field] !== "");
  return { type: draft.verify, ...Object.fromEntries(given.map((field) => [field, draft[field]])) };
}

function rateLimitOf({ rateMax, ratePerSeconds }: HookDraft) {
  return rateMax.trim() === "" ? null : { max: Number(rateMax), perSeconds: Number(ratePerSeconds) || 1 };
}

export function inputOf(draft: HookDraft): HookInput {
  const { payload, rateLimit, ...settings } = settingsOf(draft);
  const verify = verifyOf(draft);
  return {
    ...settings,
    ...(payload !== null && { payload }),
    ...(rateLimit && { rateLimit }),
    ...(verify && { verify }),
  };
}

/** The registration for a preview: a missing name or secret is not wrong yet. */
export function previewInputOf(draft: HookDraft): HookInput {
  const { verify, ...input } = inputOf({ ...draft, name: draft.name.trim() || "preview" });
  const isComplete = verify && fieldsOf(verify.type).every((field) => field === "prefix" || draft[field] !== "");
  return { ...input, ...(isComplete && { verify }) };
}

/** Returns the changed fields; undefined if there are none. */
export function patchOf(hook: Hook, draft: HookDraft): HookPatch | undefined {
  const before: Record<string, unknown> = settingsOf(draftOf(hook));
  const changed = Object.entries(settingsOf(draft)).filter(
    ([field, value]) => JSON.stringify(value) !== JSON.stringify(before[field]),
  );
  const isSame = draft.verify === "keep" || (draft.verify === "none" && hook.verify.type === "none");
  const verify = isSame ? undefined : verifyOf(draft);
  if (changed.length === 0 && !verify) return undefined;
  return { ...(Object.fromEntries(changed) as HookPatch), ...(verify && { verify }) };
}

/** The body as JSON if it is JSON, so that the call has its content type; otherwise as a text. */
export function callOf({ method, query, headers, body }: CallDraft): SampleCall {
  const pairs = headers.split("\n").flatMap((line) => {
    const colon = line.indexOf(":");
    return colon < 1 ? [] : [[line.slice(0, colon).trim(), line.slice(colon + 1).trim()] as const];
  });
  const given = Object.fromEntries(pairs);
  const hasType = Object.keys(given).some((name) => name.toLowerCase() === "content-type");
  return {
    method,
    query: Object.fromEntries(new URLSearchParams(query)),
    // The text itself is sent, so that numbers keep their digits.
    headers: hasType || !isJson(body) ? given : { ...given, "content-type": "application/json" },
    ...(body !== "" && { body }),
  };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The first line of the page. */
export function hooksLead(hooks: readonly Pick<Hook, "state">[], hasMore: boolean): string {
  if (hooks.length === 0) return "No service calls this bridge yet.";
  const stopped = hooks.filter(({ state }) => state === "stopped").length;
  const count = `${hasMore ? "More than " : ""}${hooks.length} ${hooks.length === 1 ? "hook" : "hooks"}`;
  if (stopped === 0) return hooks.length === 1 ? `${count}, which takes calls.` : `${count}, all take calls.`;
  return `${count}, ${stopped} stopped.`;
}

export function verifyWords({ type }: Pick<Hook["verify"], "type">): string {
  return VERIFICATIONS.find(([one]) => one === type)?.[1] ?? type;
}
