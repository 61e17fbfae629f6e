/** Questions of presets, and the settings that follow from the answers. Pure. */
import type { Draft } from "./draft.ts";

/** A value that the person has to give. */
export interface Placeholder {
  id: string;
  label: string;
  hint: string;
  example: string;
  /** Answers that the service can understand. */
  pattern: RegExp;
  /** Whether the answer is a whole URL or its start, which is not percent-encoded. */
  isUrl?: boolean;
  isSecret?: boolean;
}

export interface Preset {
  id: string;
  name: string;
  /** The result at the service, in one sentence. */
  about: string;
  asks: readonly Placeholder[];
  /** Settings; `{{id}}` stands for the answer to a placeholder. */
  settings: Partial<Draft>;
  /** A warning before the first message. */
  note?: string;
}

export type Answers = Readonly<Record<string, string>>;

/** Why an answer cannot be right; undefined if it may be. */
export function answerError({ pattern, example }: Placeholder, answer: string): string | undefined {
  return pattern.test(answer.trim()) ? undefined : `must look like ${example}`;
}

/** Returns the settings of a preset with the answers in place. A missing answer stays visible as `{{id}}`. */
export function applyPreset({ asks, settings }: Preset, answers: Answers): Partial<Draft> {
  const isWhole = /^\{\{\w+\}\}$/;
  const filled = Object.entries(settings).map(([field, template]) => [
    field,
    typeof template === "string" ? fill(template, field, asks, answers) : template,
  ]);
  const draft = Object.fromEntries(filled) as Partial<Draft>;
  return isWhole.test(draft.url ?? "") ? { ...draft, url: "" } : draft;
}

/** Whether every question has an answer that can be right. */
export function isAnswered({ asks }: Preset, answers: Answers): boolean {
  return asks.every((ask) => answerError(ask, answers[ask.id] ?? "") === undefined);
}

/** Whether a URL still contains a question. */
export function isUnfilled(url: string): boolean {
  return /\{\{\w+\}\}/.test(url);
}

function fill(template: string, field: string, asks: readonly Placeholder[], answers: Answers): string {
  return template.replace(/\{\{(\w+)\}\}/g, (whole, id: string) => {
    const answer = answers[id]?.trim() ?? "";
    const ask = asks.find((one) => one.id === id);
    if (!ask || answer === "") return whole;
    if (field === "url") return ask.isUrl ? answer.replace(/\/+$/, "") : encodeURIComponent(answer).replace("%3A", ":");
    // Inside the quotation marks of an expression.
    return field === "headers" ? answer : JSON.stringify(answer).slice(1, -1);
  });
}
