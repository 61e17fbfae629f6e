/** State of the workbench: expressions, the messages they are tried on, and what each becomes. */
import type { SampleMessage, Webhook, WebhookInput } from "causeway-mqtt/client";
import { useMemo, useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import { pathTo } from "../../data/address.ts";
import { useRights } from "../../data/session.tsx";
import { draftOf, EMPTY, previewInputOf } from "../webhooks/form/draft.ts";
import { isProblem, type PreviewResult } from "../webhooks/messages/preview.ts";
import { readable, type Sample } from "../webhooks/messages/sample.ts";
import { keyOf, type PreviewState, usePreview } from "../webhooks/messages/use-preview.ts";
import { type Samples, useSamples } from "../webhooks/messages/use-samples.ts";

/** Stands for the receiver of a webhook that does not exist yet; nothing is sent. */
const NO_URL = "https://example.com/";

export interface Expressions {
  filter: string;
  transform: string;
}

export interface Bench {
  topic: string;
  setTopic(topic: string): void;
  /** The topic filters of the messages: that of the address, else those of the webhook, else all that the key may read. */
  topics: string[];
  samples: Samples;
  /** Messages with their content, in the order of `preview.results`. */
  tried: Sample[];
  expressions: Expressions;
  setExpressions(part: Partial<Expressions>): void;
  original: Expressions;
  isEdited: boolean;
  preview: PreviewState;
  resultOf(sample: Sample): PreviewResult | undefined;
  selected: Sample | undefined;
  select(id: string): void;
  /** Result of the selected message without the edit. */
  before: PreviewResult | undefined;
}

export function useBench(webhook: Webhook | undefined): Bench {
  const { read } = useRights();
  const { query, route } = useLocation();
  const topic = query.topic ?? "";
  const original = { filter: webhook?.filter ?? "", transform: webhook?.transform ?? "" };
  const [expressions, setExpressions] = useState(original);
  const [chosen, setChosen] = useState<string>();
  const topics = topic !== "" ? [topic] : (webhook?.topics ?? read);
  const samples = useSamples(topics, { withContent: true });
  const tried = useMemo(() => samples.items.filter(readable), [samples.items]);
  const messages = tried.map(({ message }) => message!);
  const preview = usePreview(inputFor(webhook, topics, expressions), messages);
  // The results belong to the messages of their own call, which may be older than the list.
  const results = new Map(preview.results?.map((result, i) => [preview.messages[i], result]));
  const selected = tried.find(({ id }) => id === chosen) ?? tried[0];
  const isEdited = expressions.filter !== original.filter || expressions.transform !== original.transform;
  return {
    topic,
    setTopic: (next) => route(pathTo("workbench", { ...query, topic: next || undefined }), true),
    topics,
    samples,
    tried,
    expressions,
    setExpressions: (part) => setExpressions((now) => ({ ...now, ...part })),
    original,
    isEdited,
    preview,
    resultOf: ({ message }) => results.get(keyOf(message!)),
    selected,
    select: setChosen,
    before: useBefore(inputFor(webhook, topics, original), isEdited ? selected?.message : undefined),
  };
}

function useBefore(input: WebhookInput | undefined, message: SampleMessage | undefined): PreviewResult | undefined {
  const { results } = usePreview(message && input, message ? [message] : []);
  const [result] = message ? (results ?? []) : [];
  return result && !isProblem(result) ? result : undefined;
}

function inputFor(webhook: Webhook | undefined, topics: string[], { filter, transform }: Expressions) {
  if (topics.length === 0) return undefined;
  const draft = webhook ? draftOf(webhook) : { ...EMPTY, topics: topics.join("\n"), url: NO_URL };
  return previewInputOf({ ...draft, filter, transform });
}
