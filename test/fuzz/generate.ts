/** Generates calls from the contract; each depends on the seed, its number, and the results of earlier calls. */
import { type OpenApi, type Operation, operationsOf, type Parameter, resolve } from "../../src/http/document.ts";
import type { Call, KnownKey } from "./call.ts";
import { type Group, type Hostile, hostileValues } from "./hostile.ts";
import { externalIdOf, meaningOf, topicOf } from "./meaning.ts";
import { type Random, randomOf } from "./random.ts";
import { rawCall } from "./raw.ts";
import { RequestBody } from "./request-body.ts";
import { type Schema, Values } from "./schema.ts";
import { encode, inPath, otherHeaders } from "./spelling.ts";
import type { Kind, State } from "./state.ts";

/** Shares of calls on raw sockets, and with paths or methods that the contract does not have. */
const RAW = 0.03;
const NOWHERE = 0.03;

/** Relative frequencies of operations; the default is 4. */
const WEIGHTS: Record<string, number> = {
  publishMessage: 16,
  publishToTopic: 8,
  sendRequest: 6,
  previewWebhook: 3,
  previewHook: 4,
  openStream: 3,
  createWebhook: 5,
  createHook: 12,
  deleteKey: 2,
  deleteWebhook: 2,
  deleteHook: 1,
  getMetrics: 1,
  getStatus: 1,
};

export interface GeneratorOptions {
  seed: number;
  openapi: OpenApi;
  apiKey: string;
  /** URL of the receiver for webhooks. */
  receiver: string;
  without: ReadonlySet<Group>;
}

type Target = ReturnType<typeof operationsOf>[number];

export class Generator {
  readonly #values: Values;
  readonly #hostile: Hostile;
  readonly #body: RequestBody;
  readonly #targets: (readonly [number, Target])[];
  /** Calls with an `Idempotency-Key`, to be repeated. */
  readonly #keyed: Call[] = [];

  constructor(
    private readonly options: GeneratorOptions,
    private readonly state: State,
  ) {
    this.#values = new Values(options.openapi, meaningOf(options.receiver, options.apiKey));
    this.#hostile = hostileValues(options.without);
    this.#body = new RequestBody(options.openapi, this.#values, this.#hostile, (random) =>
      this.state.any(random, "key"),
    );
    this.#targets = operationsOf(options.openapi).map((one) => [WEIGHTS[one.operation.operationId] ?? 4, one] as const);
  }

  make(number: number): Call {
    const random = randomOf(this.options.seed, number);
    if (random.chance(RAW)) return rawCall(random, number, this.options.apiKey);
    if (random.chance(NOWHERE)) return this.#nowhere(random, number);
    if (random.chance(0.02) && this.#keyed.length > 0) return { ...random.pick(this.#keyed), number };
    const call = this.#call(random, number, random.weighted(this.#targets));
    if (call.headers.some(([name]) => name === "Idempotency-Key")) this.#keyed.push(call);
    if (this.#keyed.length > 30) this.#keyed.shift();
    return call;
  }

  #call(random: Random, number: number, { path, method, operation }: Target): Call {
    const { openapi } = this.options;
    const mood = random.weighted([
      [60, "good"],
      [28, "nearly"],
      [12, "hostile"],
    ] as const);
    const parameters = [...(openapi.paths[path]!.parameters ?? []), ...(operation.parameters ?? [])].map((one) =>
      resolve(openapi, one),
    );
    const url = this.#path(random, path) + this.#query(random, parameters, mood === "good" ? 0.03 : 0.25);
    const [caller, authorization] = this.#caller(random, operation);
    const headers: Call["headers"] = [...authorization];
    const body = this.#body.make(random, operation, mood, headers);
    if (random.chance(0.12)) headers.push(...otherHeaders(random));
    if (parameters.some(({ name }) => name === "Prefer") && random.chance(0.3)) {
      headers.push([
        "Prefer",
        random.pick(["respond-async", "respond-async", "wait=1, respond-async", "nonsense;;=,"]),
      ]);
    }
    if (method === "post" && random.chance(0.15)) {
      const key = random.chance(0.7)
        ? `fuzz-${random.below(12)}`
        : random.pick(["", " ", "é", "x".repeat(255), "x".repeat(256)]);
      headers.push(["Idempotency-Key", key]);
    }
    const { operationId } = operation;
    // The webhook's topics are uncertain from now on, because calls overtake each other.
    if (operationId === "updateWebhook") this.state.webhooks.delete(url.split(/[/?]/)[3]!);
    return {
      number,
      operation: operationId,
      method: method.toUpperCase(),
      path: url,
      headers,
      ...(body && { body }),
      caller,
    };
  }

  #nowhere(random: Random, number: number): Call {
    const { path } = random.pick(this.#targets)[1];
    const paths = [
      "/",
      "/v1",
      "/v1/",
      "/v2/messages",
      "/docs",
      "/docs/../v1/keys",
      "/%2e%2e/etc",
      "/v1/nothing",
      "//",
      "/v1/webhooks//x",
    ];
    const broken = [
      "/v1/topics/%zz",
      "/v1/webhooks/%ff",
      "/v1/messages/%00",
      `/${"a".repeat(20_000)}`,
      "/openapi.json?x=1",
    ];
    const [caller, headers] = this.#caller(random, {} as Operation);
    const method = random.pick([
      "GET",
      "POST",
      "PUT",
      "PATCH",
      "DELETE",
      "HEAD",
      "OPTIONS",
      "TRACE",
      "PROPFIND",
      "QUERY",
      "M-SEARCH",
    ]);
    const url = random.chance(0.4) ? this.#path(random, path) : random.pick([...paths, ...broken]);
    return { number, method, path: url, headers, caller };
  }

  /** Fills in ids from earlier calls of any key; sometimes something else. */
  #path(random: Random, path: string): string {
    const kinds: [RegExp, Kind][] = [
      [/\/webhooks\/\{id\}\/replays\/\{replayId\}/, "replay"],
      [/\/webhooks\/\{id\}\/deliveries\/\{messageId\}/, "delivery"],
      [/\/webhooks\/\{id\}\/(?:pull|ack|nack)/, "pull"],
      [/\/webhooks\/\{id\}/, "webhook"],
      [/\/messages\/\{id\}/, "message"],
      [/\/requests\/\{id\}/, "request"],
      [/\/keys\/\{id\}/, "key"],
      [/\/hooks\/\{id\}/, "hook"],
      [/\/in\/\{token\}/, "token"],
    ];
    const odd = random.chance(0.1);
    for (const [pattern, kind] of kinds) {
      if (!pattern.test(path) || odd) continue;
      const [id = "x", more = "x"] = (this.state.any(random, kind) ?? "").split("/");
      return path.replace(/\{(id|token)\}/, id || "x").replace(/\{\w+\}/, more);
    }
    return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
      if (name === "topic")
        return inPath(random, random.chance(0.75) ? this.#topic(random) : this.#hostile.text(random, "topic"));
      if (name === "externalId" && !odd) return externalIdOf(random);
      // An unencoded slash would make it another path.
      return encode(random.chance(0.5) ? (this.state.any(random, "webhook") ?? "x") : this.#hostile.text(random, name));
    });
  }

  /** Returns a topic, often one with a retained message. */
  #topic(random: Random): string {
    return (random.chance(0.4) && this.state.any(random, "topic")) || topicOf(random);
  }

  #query(random: Random, parameters: Parameter[], oddness: number): string {
    const parts: string[] = [];
    for (const parameter of parameters) {
      const { name, schema } = parameter;
      const isRequired = (parameter as { required?: boolean }).required === true;
      if (parameter.in !== "query" || !random.chance(isRequired ? 0.97 : 0.3)) continue;
      const good =
        name === "after"
          ? (this.state.any(random, "cursor") ?? "x")
          : this.#values.valid(random, schema as Schema, `query.${name}`);
      const value = random.chance(oddness)
        ? this.#hostile.text(random, name === "topic" ? name : `query.${name}`)
        : good;
      parts.push(...[value].flat().map((one) => `${name}=${encode(String(one))}`));
    }
    if (random.chance(oddness / 3))
      parts.push(random.pick(["x=1", "__proto__=1", "limit=1&limit=2", "&&", "=", "limit[]=1", "%"]));
    return parts.length > 0 ? `?${parts.join("&")}` : "";
  }

  #caller(random: Random, { security }: Operation): [Call["caller"], Call["headers"]] {
    const { apiKey } = this.options;
    if (security?.length === 0 && random.chance(0.8)) return ["none", []];
    if (random.chance(0.55)) return ["root", [["Authorization", `Bearer ${apiKey}`]]];
    if (random.chance(0.85) && this.state.keys.length > 0) {
      const key: KnownKey = random.pick(this.state.keys);
      return [key, [["Authorization", `bearer ${key.key}`]]];
    }
    const old = this.state.withdrawn.at(-1)?.key ?? "cw_x";
    const bad = [old, `${apiKey}x`, "", "é".repeat(20), "x".repeat(10_000)].map((key): Call["headers"] => [
      ["Authorization", `Bearer ${key}`],
    ]);
    const basic: Call["headers"] = [["Authorization", `Basic ${Buffer.from(`x:${apiKey}`).toString("base64")}`]];
    return ["none", random.pick([[], basic, ...bad])];
  }
}
