/** Presets in the form: the fields that follow from a preset and its inputs. Pure. */
import { type InputValues, inputError, type Preset, webhookOf } from "../../../../../src/presets/index.ts";
import { type Draft, EMPTY, NO_AUTH } from "./draft.ts";

/** A receiver of one's own: no service, so no file. */
export const PLAIN: Preset = {
  id: "plain",
  title: "Plain",
  description: "A CloudEvent in JSON, signed, for a receiver of your own.",
  docs: "",
  inputs: [],
  webhook: { url: "" },
};

const { url, method, mode, headers, auth, filter, transform, rateMax, ratePerSeconds } = EMPTY;
/** Fields that presets set, without a preset: those of the last preset must not stay. */
export const CLEARED: Partial<Draft> = { url, method, mode, headers, auth, filter, transform, rateMax, ratePerSeconds };

/** Returns the fields of a preset. A missing value stays visible as `{{id}}`, except for a whole URL. */
export function draftOfPreset(preset: Preset, values: InputValues): Partial<Draft> {
  const { webhook } = preset;
  const filled = webhookOf(preset, values);
  const { method = "POST", mode = "structured", rateLimit } = filled;
  return {
    ...(webhook.url !== "" && { url: /^\{\{\w+\}\}$/.test(filled.url) ? "" : filled.url }),
    method,
    mode,
    ...(webhook.headers && { headers: linesOf(filled.headers) }),
    ...(webhook.auth && { auth: filled.auth ? { ...NO_AUTH, ...filled.auth } : NO_AUTH }),
    ...(filled.filter !== undefined && { filter: filled.filter }),
    ...(filled.transform !== undefined && { transform: filled.transform }),
    ...(rateLimit && { rateMax: `${rateLimit.max}`, ratePerSeconds: `${rateLimit.perSeconds}` }),
  };
}

/** Whether every input has a value that can be right. */
export function isAnswered({ inputs }: Preset, values: InputValues): boolean {
  return inputs.every((input) => inputError(input, values[input.id]) === undefined);
}

/** Whether a URL still contains an input. */
export function isUnfilled(url: string): boolean {
  return /\{\{\w+\}\}/.test(url);
}

function linesOf(headers: Record<string, string> = {}): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}`)
    .join("\n");
}
