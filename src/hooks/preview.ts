/** Previews the message of a call: all stages but verification, limits and publishing. */
import { Refused } from "../errors.ts";
import { utf8Text } from "../message.ts";
import { documentOf, type HookCall, readBody } from "./call.ts";
import type { HookExpressions } from "./evaluation.ts";
import type { HookInput, HookMethod } from "./hook.ts";
import { ofBody } from "./hook-calls.ts";
import type { TopicTemplate } from "./template.ts";

export interface HookPreviewsOptions {
  /** Evaluates with reasons for failures: the caller has written the call as well. */
  previewExpressions: Pick<HookExpressions, "of">;
  maxPayloadBytes: number;
}

export interface SampleCall {
  method?: HookMethod;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  /** With the content type that it has unless the headers name one. */
  body?: { bytes: Buffer; contentType: string };
}

export interface PreviewedMessage {
  topic: string;
  payload?: string;
  payloadBase64?: string;
  contentType: string | null;
  qos: NonNullable<HookInput["qos"]>;
  retain: boolean;
}

export class HookPreviews {
  constructor(private readonly options: HookPreviewsOptions) {}

  /** @param callerId API caller whose share of the sandbox the preview uses */
  async of(
    { topic, payload, qos = 1, retain = false }: HookInput,
    template: TopicTemplate,
    sample: SampleCall,
    callerId: string,
  ): Promise<PreviewedMessage | Refused> {
    const { previewExpressions, maxPayloadBytes } = this.options;
    const call = callOf(sample);
    const body = await readBody(call);
    if (!body) return new Refused("invalid_request", "call.body: is not what its content-type says");
    const hook = { id: callerId, topic, ...(payload !== undefined && { payload }) };
    const evaluated = await previewExpressions.of(hook, template, () => documentOf(call, body));
    if (evaluated instanceof Refused) return evaluated;
    const { bytes, contentType = null } = evaluated.payload ?? ofBody(body);
    if (bytes.length > maxPayloadBytes) {
      return new Refused("payload_too_large", `${bytes.length} bytes are more than the limit of ${maxPayloadBytes}`);
    }
    const text = utf8Text(bytes);
    const content = text === undefined ? { payloadBase64: bytes.toString("base64") } : { payload: text };
    return { topic: evaluated.topic, ...content, contentType, qos, retain };
  }
}

/** Header names may repeat in another case: the last one counts. */
function callOf({ method = "POST", query = {}, headers = {}, body }: SampleCall): HookCall {
  const byName = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const own = body && { "content-type": body.contentType };
  return { method, query, headers: { ...own, ...byName }, body: body?.bytes ?? Buffer.alloc(0), address: "" };
}
