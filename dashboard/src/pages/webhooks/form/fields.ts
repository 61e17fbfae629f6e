/** The fields of the form. */
import type { Webhook } from "causeway-mqtt/client";

export type AuthType = "none" | "keep" | "basic" | "bearer" | "oauth2" | "mtls";
export type EventName = NonNullable<Webhook["events"]>[number];

/** Texts as typed; an empty one stands for the default. */
export interface Draft {
  /** Whether the bridge calls a receiver, or consumers pull. It never changes. */
  type: Webhook["type"];
  name: string;
  externalId: string;
  /** One topic filter a line. */
  topics: string;
  qos: "0" | "1" | "2";
  retained: boolean;
  events: readonly EventName[];
  url: string;
  method: Webhook["method"];
  /** A line such as `X-Site: Berlin` for each. */
  headers: string;
  auth: AuthDraft;
  mode: Webhook["mode"];
  payloadFormat: NonNullable<Webhook["payloadFormat"]>;
  filter: string;
  transform: string;
  batchSize: string;
  batchWaitMs: string;
  concurrency: string;
  ordering: Webhook["ordering"];
  rateMax: string;
  ratePerSeconds: string;
  schedule: string;
  timeoutMs: string;
  replyTopic: string;
  secret: string;
  ca: string;
  verify: boolean;
}

/** `keep`: the stored credentials stay. The other fields are those of the API. */
export interface AuthDraft {
  type: AuthType;
  username: string;
  password: string;
  token: string;
  tokenUrl: string;
  clientId: string;
  clientSecret: string;
  scope: string;
  audience: string;
  cert: string;
  key: string;
}

export const AUTH_FIELDS = {
  basic: ["username", "password"],
  bearer: ["token"],
  oauth2: ["tokenUrl", "clientId", "clientSecret", "scope", "audience"],
  mtls: ["cert", "key"],
} as const;

export const NO_AUTH: AuthDraft = {
  type: "none",
  username: "",
  password: "",
  token: "",
  tokenUrl: "",
  clientId: "",
  clientSecret: "",
  scope: "",
  audience: "",
  cert: "",
  key: "",
};

export const DEFAULT_SCHEDULE = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

export const EMPTY: Draft = {
  type: "push",
  name: "",
  externalId: "",
  topics: "",
  qos: "1",
  retained: false,
  events: [],
  url: "",
  method: "POST",
  headers: "",
  auth: NO_AUTH,
  mode: "structured",
  payloadFormat: "auto",
  filter: "",
  transform: "",
  batchSize: "",
  batchWaitMs: "",
  concurrency: "",
  ordering: "none",
  rateMax: "",
  ratePerSeconds: "",
  schedule: "",
  timeoutMs: "",
  replyTopic: "",
  secret: "",
  ca: "",
  verify: false,
};
