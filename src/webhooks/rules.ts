/** Validation rules for registrations. */
import { type FieldError, fieldProblem, Problem } from "../errors.ts";
import { topicFilterError } from "../topic.ts";
import { authErrors, caError } from "./auth-rules.ts";
import type { Webhook, WebhookPatch } from "./webhook.ts";

/** Rules for URLs, headers, secrets and expressions, implemented by the uplink. */
export interface WebhookRules {
  /** Why the URL may not be called; undefined if it may. */
  urlError(url: string): Promise<{ code: "invalid_url" | "blocked_address"; message: string } | undefined>;
  headerError(name: string, value: string): string | undefined;
  secretError(secret: string): string | undefined;
  /** Returns the syntax error of a JSONata expression, if any. */
  expressionError(expression: string): Promise<string | undefined>;
}

/** Checks the given fields. Their shape has already been validated against the contract. @throws Problem */
export async function checkWebhook(input: WebhookPatch, rules: WebhookRules): Promise<void> {
  const filters = (input.topics ?? []).flatMap((filter, i) => fieldError(`topics[${i}]`, topicFilterError(filter)));
  if (filters.length > 0) throw new Problem("invalid_topic_filter", detail(filters), { errors: filters });

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
    if (expression != null) errors.push(...fieldError(field, await rules.expressionError(expression)));
  }
  if (errors.length > 0) throw new Problem("invalid_request", detail(errors), { errors });

  await requireUrl("url", input.url, rules);
  await requireUrl("auth.tokenUrl", input.auth?.tokenUrl, rules);
}

async function requireUrl(path: string, url: string | undefined, rules: WebhookRules): Promise<void> {
  const wrong = url === undefined ? undefined : await rules.urlError(url);
  if (wrong) throw fieldProblem(wrong.code, path, wrong.message);
}

/** @throws Problem if the webhook would never be called */
export function requirePurpose({ topics, events }: Pick<Webhook, "topics" | "events">): void {
  if (topics.length > 0 || (events && events.length > 0)) return;
  throw fieldProblem("invalid_request", "topics", "must hold a topic filter, unless events are asked for");
}

/** @throws Problem if individually valid fields exclude each other */
export function requireCombination({ batch, ordering, mode }: Pick<WebhookPatch, "batch" | "ordering" | "mode">): void {
  if (!batch) return;
  const refuse = (other: string) => fieldProblem("invalid_request", "batch", `cannot stand beside ${other}`);
  if (ordering === "topic" || ordering === "strict") throw refuse(`ordering: ${ordering}`);
  if (mode === "binary") throw refuse("mode: binary");
}

function fieldError(path: string, message: string | undefined): FieldError[] {
  return message === undefined ? [] : [{ path, message }];
}

function detail(errors: FieldError[]): string {
  return errors.map(({ path, message }) => `${path}: ${message}`).join("; ");
}
