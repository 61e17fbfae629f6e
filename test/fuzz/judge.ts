/** Checks whether a response conforms to the contract and to the rights of the key. */
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { catalogue, type ProblemCode } from "../../src/errors.ts";
import { LINES, type OpenApi, type Operation, operationsOf, resolve } from "../../src/http/document.ts";
import type { Call } from "./call.ts";
import { trespass } from "./rights.ts";
import type { Outcome, Reply } from "./send.ts";
import type { State } from "./state.ts";

/** Refusals before an operation is looked up, so no operation lists them. */
const ANYWHERE: readonly ProblemCode[] = ["slow_request", "method_not_allowed", "not_found"];
/** Readiness response while only the subscriptions of a just registered webhook, or the session for them, are missing. */
const IN_STEP =
  /^\{"status":"unavailable","checks":\{"broker":\{"ok":true\},"uplink":\{"ok":false,"detail":"(?:[^"]* of \d+ filters are subscribed|the subscriptions do not follow the webhooks yet|causeway-[\w-]+: connecting)"\},"store":\{"ok":true\},"consumption":\{"ok":true\}\}\}/;
/** The initial key has no rate limit, so a 429 for it has no cause. */
const UNLIMITED = "rate_limited without a rate limit";

const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

export class Judge {
  readonly #ajv = new Ajv2020({ strict: false, formats: { "date-time": DATE_TIME, byte: BASE64, uri: true } });
  readonly #checks = new Map<string, ValidateFunction>();
  readonly #operations: Map<string, Operation>;
  /** First responses to calls with an `Idempotency-Key`. */
  readonly #first = new Map<string, string>();

  constructor(
    private readonly openapi: OpenApi,
    private readonly state: State,
  ) {
    this.#operations = new Map(operationsOf(openapi).map(({ operation }) => [operation.operationId, operation]));
  }

  /** Returns the faults of a response; empty if it is valid. */
  faults(call: Call, { replies, error }: Outcome): string[] {
    if (error) return [error];
    return replies.flatMap((reply) => {
      if (call.raw) return reply.status < 400 ? [] : this.#problem(call, reply);
      return [
        ...this.#reply(call, reply),
        ...trespass(call, reply, this.#operations.get(call.operation ?? ""), this.state),
      ];
    });
  }

  #reply(call: Call, reply: Reply): string[] {
    const { status, headers, body } = reply;
    const faults = status < 400 ? [] : this.#problem(call, reply);
    const operation = this.#operations.get(call.operation ?? "");
    if (!operation || call.method === "HEAD") return faults;
    const documented = operation.responses[String(status)];
    const code = status >= 400 ? codeOf(reply) : undefined;
    if (!documented) {
      if (code && ANYWHERE.includes(code)) return faults;
      return [...faults, `${status} ${code ?? ""} is not among the answers of ${call.operation}`];
    }
    const { content } = resolve(this.openapi, documented);
    if (!content) return body.length === 0 ? faults : [...faults, `${status} has a body`];
    const type = String(headers["content-type"] ?? "").split(";")[0]!;
    const media = (content[type] ?? content["*/*"]) as { schema?: object } | undefined;
    if (!media) return [...faults, `${status} has the content type ${type}`];
    // A payload, whose content type may be wrong.
    if (!(type in content)) return [...faults, ...this.#again(call, reply)];
    if (status < 400 && type === "application/json")
      faults.push(...this.#json(`${call.operation} ${status}`, media.schema!, reply));
    if (type === "application/x-ndjson") faults.push(...this.#lines(call, reply));
    if (type === "text/event-stream") faults.push(...this.#events(reply));
    if (type === "application/json" && call.operation === "publishBatch")
      faults.push(...this.#results(call, jsonOf(reply).results ?? []));
    return [...faults, ...this.#again(call, reply)];
  }

  #problem(call: Call, reply: Reply): string[] {
    const { status, headers, body } = reply;
    if (call.operation === "getReady" && status === 503) return IN_STEP.test(`${body}`) ? [] : [`not ready: ${body}`];
    if (call.method === "HEAD") return status >= 500 ? [`${status}`] : [];
    const type = String(headers["content-type"] ?? "");
    if (!/^application\/problem\+json(?:;|$)/.test(type))
      return [`${status} has the content type ${type}: ${body.subarray(0, 200)}`];
    const faults = this.#json("Problem", { $ref: "#/components/schemas/Problem" }, reply);
    if (faults.length > 0) return faults;
    const problem = jsonOf(reply);
    if (problem.status !== status) faults.push(`${status} says that its status is ${problem.status}`);
    if (status === 401 && !headers["www-authenticate"]) faults.push("401 without WWW-Authenticate");
    return [...faults, ...unexplained(call, problem)];
  }

  #json(name: string, schema: object, reply: Reply): string[] {
    let value: unknown;
    try {
      value = JSON.parse(reply.body.toString());
    } catch (error) {
      return [`${name}: no JSON: ${(error as Error).message}`];
    }
    return this.#valid(name, schema, value);
  }

  #valid(name: string, schema: object, value: unknown): string[] {
    let check = this.#checks.get(name);
    if (!check) {
      check = this.#ajv.compile({ ...schema, components: this.openapi.components });
      this.#checks.set(name, check);
    }
    if (check(value)) return [];
    return [`${name} is not what the contract says: ${this.#ajv.errorsText(check.errors, { dataVar: "body" })}`];
  }

  #lines(call: Call, reply: Reply): string[] {
    const all = reply.body.toString().split("\n");
    if (all.pop() !== "") return ["the last line of the results is cut off"];
    return this.#results(
      call,
      all.map((line) => JSON.parse(line)),
    );
  }

  // biome-ignore lint/suspicious/noExplicitAny: results and problems
  #results(call: Call, results: any[]): string[] {
    return results.flatMap((result) => {
      const name = result.status >= 400 ? "Problem" : result.status === 202 ? "StoredPublish" : "PublishResult";
      const faults = this.#valid(name, { $ref: `#/components/schemas/${name}` }, result);
      return faults.length > 0 || name !== "Problem" ? faults : unexplained(call, result);
    });
  }

  #events(reply: Reply): string[] {
    const whole = reply.body.toString().split("\n\n").slice(0, -1);
    return whole.flatMap((event) => {
      const data = /^data: (.*)$/m.exec(event)?.[1];
      return data === undefined
        ? []
        : this.#valid("CloudEvent", { $ref: "#/components/schemas/CloudEvent" }, JSON.parse(data));
    });
  }

  /** The same key and request must give the same response. Calls are concurrent, so either may be the first. */
  #again({ operation, method, path, headers, body: sent }: Call, { headers: replied, status, body }: Reply): string[] {
    const named = headers.filter(([name]) => ["Idempotency-Key", "Authorization"].includes(name));
    if (!named.some(([name]) => name === "Idempotency-Key")) return [];
    // It takes no key, and leases other deliveries each time.
    if (operation === "pullDeliveries") return [];
    // Each line has its own expiring key.
    if (String(replied["content-type"]).startsWith(LINES) || (!replied["idempotent-replayed"] && status >= 300))
      return [];
    const name = JSON.stringify([method, path, named, sent?.toString("base64")]);
    const first = this.#first.get(name) ?? body.toString();
    this.#first.set(name, first);
    return first === body.toString() ? [] : ["the answer that came again is another one"];
  }
}

/** Failures must have a cause, and here broker, store and bridge work. */
function unexplained(
  call: Call,
  { code, detail, status }: { code: ProblemCode; detail: string; status: number },
): string[] {
  if (catalogue[code]?.[0] !== status) return [`${code} with the status ${status}`];
  if (code === "rate_limited") {
    const isLimited =
      (typeof call.caller === "object" && call.caller.rateLimit !== null) ||
      call.operation === "createSession" ||
      isHookCall(call);
    return isLimited ? [] : [`${UNLIMITED}: ${detail}`];
  }
  if (status < 500 || (code === "request_timeout" && call.operation === "sendRequest")) return [];
  return [`${status} ${code}: ${detail}`];
}

/** Hooks have limits of their own: failed verifications, and expressions that take too long. */
function isHookCall({ operation = "" }: Call): boolean {
  return operation.startsWith("callHook");
}

export function codeOf(reply: Reply): ProblemCode | undefined {
  try {
    return jsonOf(reply).code;
  } catch {
    return undefined;
  }
}

/** Whether the body is JSON of the API rather than a payload with that content type. */
export function isJson({ operation }: Call, { headers, body }: Reply): boolean {
  const isPayload = operation === undefined || operation === "getRetained";
  return !isPayload && body.length > 0 && String(headers["content-type"]).startsWith("application/json");
}

// biome-ignore lint/suspicious/noExplicitAny: bodies of many shapes
export function jsonOf(reply: Reply): any {
  return JSON.parse(reply.body.toString());
}
