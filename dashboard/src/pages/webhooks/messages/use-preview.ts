/** Previews of a registration that is being typed: which fields the API refuses, and the requests it would send. */
import { isCausewayError, type SampleMessage, type WebhookInput } from "causeway-mqtt/client";
import { useEffect, useState } from "preact/hooks";
import { causeway } from "../../../data/causeway.ts";
import { fieldErrors, type PreviewResult } from "./preview.ts";

const DEBOUNCE_MS = 300;

export interface PreviewState {
  isChecking: boolean;
  /** Refused fields by path, such as `topics[0]`. */
  errors: Record<string, string>;
  /** One for each message, of the last registration that was accepted. */
  results: PreviewResult[] | undefined;
  /** Messages of {@link results}, as JSON. */
  messages: string[];
  /** The call failed otherwise. */
  failure: Error | undefined;
  /** Whether the registration as it is now was accepted. */
  isAccepted: boolean;
}

const NOTHING: PreviewState = {
  isChecking: false,
  errors: {},
  results: undefined,
  messages: [],
  failure: undefined,
  isAccepted: false,
};

/** Identifies a message among those of a preview. */
export function keyOf(message: SampleMessage): string {
  return JSON.stringify(message);
}

/**
 * @param webhook undefined: there is nothing to preview yet
 * @param messages at most 50; empty: only the registration is checked
 */
export function usePreview(webhook: WebhookInput | undefined, messages: readonly SampleMessage[]): PreviewState {
  const [state, setState] = useState<PreviewState>(NOTHING);
  const key = webhook && JSON.stringify([webhook, messages]);
  useEffect(() => {
    if (key === undefined) return setState(NOTHING);
    const [input, samples] = JSON.parse(key) as [WebhookInput, SampleMessage[]];
    const left = new AbortController();
    setState((now) => ({ ...now, isChecking: true, isAccepted: false }));
    const timer = setTimeout(async () => {
      try {
        // The API checks a registration only together with a message.
        const given = samples.length > 0 ? samples : [{ topic: "preview" }];
        const results = await causeway.webhooks.previewAll(input, given, { signal: left.signal });
        if (left.signal.aborted) return;
        setState({
          ...NOTHING,
          results: samples.length > 0 ? results : undefined,
          messages: samples.map(keyOf),
          isAccepted: true,
        });
      } catch (error) {
        if (left.signal.aborted) return;
        const errors = isCausewayError(error) ? fieldErrors(error.errors) : {};
        const failure = Object.keys(errors).length > 0 ? undefined : (error as Error);
        setState((now) => ({ ...now, isChecking: false, isAccepted: false, errors, failure }));
      }
    }, DEBOUNCE_MS);
    return () => {
      clearTimeout(timer);
      left.abort();
    };
  }, [key]);
  return state;
}
