/** Validation rules for registrations. */
import { type FieldError, Refused, refuseField, refuseFields } from "../errors.ts";
import { topicFilterError } from "../topic.ts";
import { authErrors, caError } from "./auth-rules.ts";
import { isTemplate, missingLevel, sampleOf, templateError } from "./url-template.ts";
import type { Webhook, WebhookInput, WebhookPatch } from "./webhook.ts";

/** Rules for URLs, headers, secrets and expressions, implemented by the uplink. */
export interface WebhookRules {
  /** Why the URL may not be called; undefined if it may. */
  urlError(url: string): Promise<{ code: "invalid_url" | "blocked_address"; message: string } | undefined>;
  headerError(name: string, value: string): string | undefined;
  secretError(secret: string): string | undefined;
  /** Returns the syntax error of a JSONata expression, if any. */
  expressionError(expression: string): Promise<string | undefined | Refused>;
}

/** Checks the given fields. Their shape has already been validated against the contract. */
export async function checkWebhook(input: WebhookPatch, rules: WebhookRules): Promise<Refused | undefined> {
  const filters = (input.topics ?? []).flatMap((filter, i) => fieldError(`topics[${i}]`, topicFilterError(filter)));
  if (filters.length > 0) return refuseFields(filters, "invalid_topic_filter");

  const errors = [
    ...Object.entries(input.headers ?? {}).flatMap(([name, value]) =>
      fieldError(`headers.${name}`, rules.headerError(name, value)),
    ),
    ...(input.secret === undefined ? [] : fieldError("secret", rules.secretError(input.secret))),
    ...(input.auth ? authErrors(input.auth) : []),
    ...(input.ca ? fieldError("ca", caError(input.ca)) : []),
  ];
  for (const field of ["filter", "transform"] as const) {
    const expression = input[field];
    if (expression == null) continue;
    const wrong = await rules.expressionError(expression);
    if (wrong instanceof Refused) return wrong;
    errors.push(...fieldError(field, wrong));
  }
  const template = input.url === undefined ? undefined : templateError(input.url);
  return (
    refuseFields(errors) ??
    (template === undefined ? undefined : refuseField("invalid_url", "url", template)) ??
    (await checkUrl("url", input.url && sampleOf(input.url), rules)) ??
    (await checkUrl("auth.tokenUrl", input.auth?.tokenUrl, rules))
  );
}

async function checkUrl(path: string, url: string | undefined, rules: WebhookRules): Promise<Refused | undefined> {
  const wrong = url === undefined ? undefined : await rules.urlError(url);
  return wrong && refuseField(wrong.code, path, wrong.message);
}

/** Refuses a webhook that would never be called. */
export function checkPurpose({ topics, events }: Pick<Webhook, "topics" | "events">): Refused | undefined {
  if (topics.length > 0 || (events && events.length > 0)) return undefined;
  return refuseField("invalid_request", "topics", "must contain a topic filter unless events are given");
}

type Combined = Pick<WebhookInput, "url" | "topics" | "verify" | "ordering" | "mode" | "headers"> & {
  transform?: string | null;
  batch?: object | null;
  verification?: object;
};

/** Refuses individually valid fields that exclude each other. */
export function checkCombination(webhook: Combined): Refused | undefined {
  return (
    (isTemplate(webhook.url ?? "") ? checkTemplate(webhook) : undefined) ??
    checkBatch(webhook) ??
    checkContentType(webhook)
  );
}

/** Any other body has a type of its own: that of the event, or that of the device's payload. */
function checkContentType({ headers, mode, transform }: Combined): Refused | undefined {
  const name = Object.keys(headers ?? {}).find((one) => one.toLowerCase() === "content-type");
  if (name === undefined || (mode === "binary" && transform)) return undefined;
  return refuseField(
    "invalid_request",
    `headers.${name}`,
    "needs mode: binary and a transform, whose result it describes",
  );
}

function checkTemplate({ url, topics, batch, verify, verification }: Combined): Refused | undefined {
  const refuse = (field: string, message: string) => refuseField("invalid_request", field, message);
  if (batch) return refuse("batch", "must not be combined with {topic} in url: its events may have different topics");
  if (verify || verification) return refuse("verify", "must not be combined with {topic} in url: it asks one URL");
  const missing = missingLevel(url!, topics);
  return missing && refuse("url", `topics that match ${missing.filter} have no level ${missing.level}`);
}

function checkBatch({ batch, ordering, mode }: Combined): Refused | undefined {
  if (!batch) return undefined;
  const refuse = (other: string) => refuseField("invalid_request", "batch", `must not be combined with ${other}`);
  if (ordering === "topic" || ordering === "strict") return refuse(`ordering: ${ordering}`);
  return mode === "binary" ? refuse("mode: binary") : undefined;
}

function fieldError(path: string, message: string | undefined): FieldError[] {
  return message === undefined ? [] : [{ path, message }];
}
