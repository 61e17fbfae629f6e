/** Presets of webhooks: calls in the format that a well-known service publishes. Pure. */
import type { WebhookInput } from "../client/index.ts";

/** A value that a person has to give. */
export interface PresetInput {
  id: string;
  label: string;
  hint: string;
  example: string;
  /** Regular expression of the values that the service can understand. */
  pattern: string;
  /** Makes the input optional. */
  default?: string;
  /** Whether the value is a whole URL or its start, which is not percent-encoded. */
  isUrl?: boolean;
  isSecret?: boolean;
}

/** The fields of a webhook; `{{id}}` stands for the value of an input. Expressions may be lists of lines. */
export interface PresetWebhook extends Omit<WebhookInput, "topics" | "url" | "filter" | "transform"> {
  url: string;
  filter?: string | string[];
  transform?: string | string[];
}

/** The content of one file in this folder. */
export interface Preset {
  id: string;
  title: string;
  /** The result at the service, in one sentence. */
  description: string;
  /** Where the service publishes the format. */
  docs: string;
  inputs: PresetInput[];
  webhook: PresetWebhook;
  /** A warning before the first message. */
  note?: string;
}

/** Values of inputs by id. An empty value counts as missing. */
export type InputValues = Readonly<Record<string, string>>;

export type FilledWebhook = Omit<WebhookInput, "topics"> & { url: string };

/** Returns why the value of an input cannot be right; undefined if it may be. */
export function inputError(input: PresetInput, value: string | undefined): string | undefined {
  const text = value?.trim() ?? "";
  if (text === "") return input.default === undefined ? "is required" : undefined;
  return new RegExp(input.pattern, "u").test(text) ? undefined : `must look like ${input.example}`;
}

/** Returns the webhook of a preset, without topics. A missing value stays visible as `{{id}}`. */
export function webhookOf({ inputs, webhook }: Preset, values: InputValues): FilledWebhook {
  const { url, headers, auth, filter, transform, ...settings } = webhook;
  const byId = new Map(inputs.map((input) => [input.id, input]));
  const fill = (template: string, encode: (value: string, input: PresetInput) => string) =>
    template.replace(/\{\{(\w+)\}\}/g, (placeholder, id: string) => {
      const input = byId.get(id);
      const value = input && resolve(input, values);
      return value === undefined ? placeholder : encode(value, input!);
    });
  const expression = (lines: string | string[]) => fill([lines].flat().join("\n"), inQuotes);
  /** Fills each member. Without the value of an optional input the whole object is absent. */
  const object = <T extends object>(template: T): T | undefined => {
    const members = Object.entries(template).map(([name, text]) => [name, fill(text, asIs)]);
    return members.every(([, text]) => text !== "") ? Object.fromEntries(members) : undefined;
  };
  const [filledHeaders, filledAuth] = [headers && object(headers), auth && object(auth)];
  return {
    url: fill(url, inUrl),
    ...settings,
    ...(filledHeaders && { headers: filledHeaders }),
    ...(filledAuth && { auth: filledAuth }),
    ...(filter !== undefined && { filter: expression(filter) }),
    ...(transform !== undefined && { transform: expression(transform) }),
  };
}

function resolve(input: PresetInput, values: InputValues): string | undefined {
  const value = Object.hasOwn(values, input.id) ? values[input.id]!.trim() : "";
  return value === "" ? input.default : value;
}

const asIs = (value: string) => value;

/** Inside the quotation marks of an expression. */
const inQuotes = (value: string) => JSON.stringify(value).slice(1, -1);

/** A colon is allowed in a path, and readable there: bot tokens of Telegram contain one. */
const inUrl = (value: string, { isUrl }: PresetInput) =>
  isUrl ? value.replace(/\/+$/, "") : encodeURIComponent(value).replaceAll("%3A", ":");
