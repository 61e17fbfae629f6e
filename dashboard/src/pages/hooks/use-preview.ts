/** Previews of a hook that is being typed: which fields the API refuses, and the message of a call. */
import { type HookInput, type HookPreview, isCausewayError, type SampleCall } from "causeway-mqtt/client";
import { useEffect, useState } from "preact/hooks";
import { causeway } from "../../data/causeway.ts";
import { fieldErrors } from "./field-errors.ts";

const DEBOUNCE_MS = 300;

export interface PreviewState {
  /** Refused fields by path, such as `topic`. */
  errors: Record<string, string>;
  /** The message of the last call that was accepted. */
  message: HookPreview | undefined;
  /** The call failed otherwise. */
  failure: Error | undefined;
  isChecking: boolean;
}

const NOTHING: PreviewState = { errors: {}, message: undefined, failure: undefined, isChecking: false };

/** @param hook undefined: there is nothing to preview yet */
export function usePreview(hook: HookInput | undefined, call: SampleCall): PreviewState {
  const [state, setState] = useState(NOTHING);
  const key = hook && JSON.stringify([hook, call]);
  useEffect(() => {
    if (key === undefined) return setState(NOTHING);
    const [input, sample] = JSON.parse(key) as [HookInput, SampleCall];
    const left = new AbortController();
    setState((now) => ({ ...now, isChecking: true }));
    const timer = setTimeout(async () => {
      try {
        const message = await causeway.hooks.preview(input, sample, { signal: left.signal });
        if (!left.signal.aborted) setState({ ...NOTHING, message });
      } catch (error) {
        if (left.signal.aborted) return;
        const errors = isCausewayError(error) ? fieldErrors(error.errors) : {};
        const isOfField = Object.keys(errors).length > 0;
        setState({ ...NOTHING, errors, failure: isOfField ? undefined : (error as Error) });
      }
    }, DEBOUNCE_MS);
    return () => {
      clearTimeout(timer);
      left.abort();
    };
  }, [key]);
  return state;
}
