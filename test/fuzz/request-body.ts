/** Generates the body of a call from the contract of its operation. */
import { hasLines, hasRawBody, type OpenApi, type Operation, resolve } from "../../src/http/document.ts";
import { bytesInstead, lines, nearly } from "./bodies.ts";
import type { Call } from "./call.ts";
import type { Hostile } from "./hostile.ts";
import type { Random } from "./random.ts";
import type { Schema, Values } from "./schema.ts";

export type Mood = "good" | "nearly" | "hostile";

/** Limit, because a synchronous request blocks the calls that need its result. */
const LONGEST_REQUEST_SECONDS = 1;

const WITH_WEBHOOK = ["createWebhook", "putWebhook", "previewWebhook"];
const URL_TEMPLATE = { $ref: "#/components/schemas/WebhookUrlTemplate" };
/** Settings of calls, which a pull webhook refuses. */
const OF_CALLS = [
  ...["url", "method", "mode", "headers", "concurrency", "timeoutMs", "batch", "rateLimit", "auth", "ca"],
  ...["replyTopic", "verify"],
];

export class RequestBody {
  readonly #values: Values;
  readonly #hostile: Hostile;

  constructor(
    private readonly openapi: OpenApi,
    values: Values,
    hostile: Hostile,
    /** Returns the id of a key that an earlier call created. */
    private readonly anyKey: (random: Random) => string | undefined,
  ) {
    this.#values = values;
    this.#hostile = hostile;
  }

  /** Also sets the content type. */
  make(random: Random, operation: Operation, mood: Mood, headers: Call["headers"]): Buffer | undefined {
    const { openapi } = this;
    if (!operation.requestBody) {
      if (mood !== "hostile") return undefined;
      headers.push(["Content-Type", random.pick(["application/json", "text/plain"])]);
      return bytesInstead(random, this.#hostile, "{}", "{");
    }
    if (hasRawBody(openapi, operation)) {
      headers.push([
        "Content-Type",
        random.pick(["text/plain", "application/json", "application/octet-stream", "é", 'x/y; z="', ""]),
      ]);
      return Buffer.from(
        random.pick(["", "21.5", '{"a":1}', "\u0000\u00ff", "x".repeat(262_144), "x".repeat(262_145)]),
        "latin1",
      );
    }
    const schema = (resolve(openapi, operation.requestBody).content["application/json"] as { schema: Schema }).schema;
    const good = () => this.#tamed(random, operation, this.#values.valid(random, schema, "body"));
    if (hasLines(openapi, operation) && random.chance(0.4)) {
      headers.push(["Content-Type", "application/x-ndjson"]);
      const one = { $ref: "#/components/schemas/MessageInput" };
      return lines(random, () => JSON.stringify(this.#values.valid(random, one, "body")));
    }
    const types = [
      "text/plain",
      "application/json; charset=utf-16",
      "application/x-www-form-urlencoded",
      "multipart/form-data",
      "",
      "application/JSON",
      "application/problem+json",
    ];
    headers.push([
      "Content-Type",
      random.chance(mood === "hostile" ? 0.2 : 0.02) ? random.pick(types) : "application/json",
    ]);
    if (mood === "good") return Buffer.from(JSON.stringify(good()));
    const isRequest = operation.operationId === "sendRequest";
    if (mood === "hostile") {
      const start = `{"topic":"fuzz/1/state",${isRequest ? '"timeoutSeconds":0.3,' : ""}`;
      return bytesInstead(random, this.#hostile, JSON.stringify(good()), start);
    }
    const text = nearly(random, this.#hostile, good());
    return Buffer.from(isRequest ? JSON.stringify(this.#tamed(random, operation, JSON.parse(text))) : text);
  }

  /** Gives a webhook what its type requires, and mostly nothing that it refuses. */
  // biome-ignore lint/suspicious/noExplicitAny: a webhook
  #typed(random: Random, webhook: any): void {
    if (random.chance(0.3)) webhook.type = "pull";
    if (webhook.type !== "pull") {
      if (!random.chance(0.02)) webhook.url ??= this.#values.valid(random, URL_TEMPLATE, "url");
    } else if (!random.chance(0.05)) for (const field of OF_CALLS) delete webhook[field];
  }

  /** Limits the time and work of a call. */
  // biome-ignore lint/suspicious/noExplicitAny: bodies of many shapes
  #tamed(random: Random, { operationId }: Operation, body: any): unknown {
    if (typeof body !== "object" || body === null || Array.isArray(body)) return body;
    if (operationId === "sendRequest" && !(body.timeoutSeconds < LONGEST_REQUEST_SECONDS)) {
      // MQTT 3.1.1 devices have no other response topic.
      if (random.chance(0.6)) body.responseTopic ??= "fuzz/answers/{requestId}";
      if (body.timeoutSeconds === undefined || typeof body.timeoutSeconds === "number") body.timeoutSeconds = 0.5;
    }
    const webhook = operationId === "previewWebhook" ? body.webhook : body;
    if (WITH_WEBHOOK.includes(operationId) && webhook instanceof Object) this.#typed(random, webhook);
    if (operationId === "previewWebhook" && body.webhook instanceof Object && random.chance(0.15)) {
      body.webhook[random.pick(["filter", "transform"])] = this.#hostile.text(random, "transform");
    }
    if (operationId === "previewWebhook") this.#oneOrSeveral(random, body);
    if (operationId === "createPortalSession" && random.chance(0.8)) body.keyId = this.anyKey(random) ?? body.keyId;
    if (operationId === "publishBatch" && Array.isArray(body.messages)) {
      const one = { $ref: "#/components/schemas/MessageInput" };
      body.messages = body.messages.map((item: unknown) =>
        random.chance(0.7) ? this.#values.valid(random, one, "body") : item,
      );
    }
    return body;
  }

  /** A preview is for one message or for several. */
  // biome-ignore lint/suspicious/noExplicitAny: bodies of many shapes
  #oneOrSeveral(random: Random, body: any): void {
    const one = { $ref: "#/components/schemas/SampleMessage" };
    if (random.chance(0.05)) return;
    if (random.chance(0.5)) {
      delete body.messages;
      body.message ??= this.#values.valid(random, one, "body");
    } else {
      delete body.message;
      body.messages = Array.from({ length: 3 }, () =>
        random.chance(0.7) ? this.#values.valid(random, one, "body") : random.pick([null, 1, {}, []]),
      );
    }
  }
}
