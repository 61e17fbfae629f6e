/** Previews of one message, whose refusal is that of the call, or of several, each with its own result. */
import { checkedMessage, type MessageInput } from "../downlink/messages.ts";
import { rawElements, rawMember } from "../downlink/payload.ts";
import { Refused, refuseFields } from "../errors.ts";
import type { OperationRequest, Schemas } from "../http/contract/index.ts";
import { fieldProblem, problemOf, within } from "../http/problem.ts";
import { topicNameError } from "../topic.ts";
import type { PreviewResult } from "../uplink/deliver/preview.ts";
import type { DeliveredMessage } from "../uplink/queue/job.ts";

type PreviewOne = (message: DeliveredMessage) => Promise<PreviewResult | Refused>;

export async function previewAll(
  { body, rawJson, routeOptions }: OperationRequest<"previewWebhook">,
  preview: PreviewOne,
  maxPayloadBytes: number,
) {
  const sample = async (input: MessageInput, json: string) => {
    const message = checkedMessage(input, json, maxPayloadBytes, topicNameError);
    if (message instanceof Refused) return message;
    const { expirySeconds: _, ...sent } = message;
    return preview({ ...sent, receivedAt: Date.now() });
  };
  const { message, messages } = body;
  if (message && messages) throw fieldProblem("invalid_request", "message", "must not be given together with messages");
  if (message !== undefined) return unwrapIn("message", await sample(message, rawMember(rawJson, "message")!));
  if (messages === undefined) throw fieldProblem("invalid_request", "message", "is required unless messages are given");
  const { faults } = routeOptions.config.items!;
  const json = rawElements(rawMember(rawJson, "messages")!);
  const results: (PreviewResult | Schemas["Problem"])[] = [];
  // One after the other: a caller has few places in the queue of the sandbox.
  for (const [i, input] of messages.entries()) {
    const result = refuseFields(faults(input)) ?? (await sample(input as MessageInput, json[i]!));
    results.push(result instanceof Refused ? toProblem(result, i) : result);
  }
  return { results };
}

function toProblem(refused: Refused, index: number): Schemas["Problem"] {
  return within(`messages[${index}]`, problemOf(refused)).toJSON() as Schemas["Problem"];
}

/** As `unwrap`; the fields of a refusal are named below the outer field, e.g. `webhook.url`. */
export function unwrapIn<T>(outer: string, outcome: T | Refused): T {
  if (outcome instanceof Refused) throw within(outer, problemOf(outcome));
  return outcome;
}
