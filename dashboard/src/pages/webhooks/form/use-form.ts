/** State of the form: what is typed, what the API says about it, and the messages it is tried with. */
import { isCausewayError, type SampleMessage } from "causeway-mqtt/client";
import { useEffect, useMemo, useState } from "preact/hooks";
import { useRights } from "../../../data/session.tsx";
import { fieldErrors } from "../messages/preview.ts";
import type { Sample } from "../messages/sample.ts";
import { type PreviewState, usePreview } from "../messages/use-preview.ts";
import { readContent, useSamples } from "../messages/use-samples.ts";
import { isUnfilled } from "./apply-preset.ts";
import { type Draft, localErrors, previewInputOf, topicsOf } from "./draft.ts";
import { errorFor } from "./sentence.ts";
import { matchesAny } from "./topic-filter.ts";

/** How long the form listens for messages when no stored one fits. */
const TAIL_MS = 2_000;
const TOPICS_SETTLE_MS = 500;

/** Stands for a URL that is not typed yet, so that the other fields can be checked. */
const NO_URL = "https://example.com/";

export interface OwnSample {
  topic: string;
  payload: string;
}

export interface WebhookForm {
  draft: Draft;
  set(change: Partial<Draft>): void;
  /** Whether the URL is typed, and the questions of the preset in it are answered. */
  hasUrl: boolean;
  /** Whether the questions of the preset are answered. */
  isAnswered: boolean;
  setAnswered(isAnswered: boolean): void;
  errorOf(field: string): string | undefined;
  preview: PreviewState;
  /** The last messages of the bridge, to count the matches of a filter. */
  pool: Sample[];
  /** The message that is previewed; undefined: the person's own sample is. */
  sample: Sample | undefined;
  isLookingForSample: boolean;
  /** Why the messages could not be looked up. */
  sampleError: Error | undefined;
  own: OwnSample | undefined;
  setOwn(own: OwnSample | undefined): void;
  /** Shows the refusal of saving at its fields. */
  refuse(error: Error): void;
  /** Whether the bridge stores credentials for the receiver. */
  hasStoredAuth: boolean;
}

export function useWebhookForm(initial: Draft): WebhookForm {
  const [draft, setDraft] = useState(initial);
  const [refused, setRefused] = useState<Record<string, string>>({});
  const [isAnswered, setAnswered] = useState(true);
  const [own, setOwn] = useState<OwnSample>();
  const { pool, sample, isLooking, error } = useFormSample(draft);
  const local = localErrors(draft);
  const isComplete = (topicsOf(draft).length > 0 || draft.events.length > 0) && Object.keys(local).length === 0;
  const hasUrl = draft.type === "pull" || (draft.url.trim() !== "" && !isUnfilled(draft.url));
  const input = isComplete ? previewInputOf({ ...draft, url: hasUrl ? draft.url : NO_URL }) : undefined;
  const message: SampleMessage | undefined = own ?? sample?.message;
  const preview = usePreview(input, message ? [message] : []);
  const errors = { ...preview.errors, ...refused, ...local };
  // A missing URL is not wrong yet.
  if (!hasUrl && !refused.url) delete errors.url;
  return {
    draft,
    set(change) {
      setRefused({});
      setDraft((now) => ({ ...now, ...change }));
    },
    errorOf: (field) => errorFor(errors, field, draft),
    hasUrl,
    preview: hasUrl ? preview : { ...preview, results: undefined, isAccepted: false },
    isAnswered,
    setAnswered,
    pool,
    sample,
    isLookingForSample: isLooking,
    sampleError: error,
    own,
    setOwn,
    hasStoredAuth: initial.auth.type === "keep",
    refuse(error) {
      if (isCausewayError(error)) setRefused(fieldErrors(error.errors));
    },
  };
}

/** Finds a real message that the topics match: among the last ones, else among stored and coming ones on the topics. */
function useFormSample(draft: Draft) {
  const { read } = useRights();
  const last = useSamples(read, { tailMs: TAIL_MS });
  const topics = topicsOf(draft);
  const settled = useSettled(topics.join("\n"), TOPICS_SETTLE_MS);
  const matching = last.items.find(({ topic }) => matchesAny(topics, topic));
  const isMissing = !matching && !last.isLoading && settled !== "" && settled === topics.join("\n");
  const wanted = useMemo(() => (isMissing ? settled.split("\n") : []), [isMissing, settled]);
  const found = useSamples(wanted, { tailMs: TAIL_MS });
  const bare = matching ?? found.items.find(({ topic }) => matchesAny(topics, topic));
  const [full, setFull] = useState<Sample>();
  const isBare = bare !== undefined && !bare.message;
  useEffect(() => {
    if (!isBare) return;
    const left = new AbortController();
    readContent(bare, left.signal).then(
      (sample) => !left.signal.aborted && setFull(sample),
      () => undefined,
    );
    return () => left.abort();
  }, [bare?.id, isBare]);
  const sample = isBare ? (full?.id === bare.id ? full : undefined) : bare;
  return {
    pool: last.items,
    error: last.error ?? found.error,
    sample: sample?.message ? sample : undefined,
    isLooking: last.isLoading || found.isLoading || (isBare && full?.id !== bare.id),
  };
}

/** The value, once it has not changed for a while. */
function useSettled<T>(value: T, ms: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled;
}
