/** Values for the tests of webhook rules. */
import assert from "node:assert/strict";
import { Refused } from "../../src/errors.ts";
import { unwrap } from "../../src/http/problem.ts";
import { type Caller, ROOT } from "../../src/keys/caller.ts";
import { covers } from "../../src/topic.ts";
import { DEFAULTS, type Webhook } from "../../src/webhooks/webhook.ts";

const CREATED_AT = "2026-01-01T00:00:00.000Z";

/** A registered webhook with the default settings, changed by `changes`. */
export function webhookWith(changes: Partial<Webhook> = {}): Webhook {
  return {
    ...DEFAULTS,
    retry: { scheduleSeconds: [1, 2] },
    id: "wh_1",
    url: "https://example.test/hook",
    topics: ["a/#"],
    secret: "whsec_old",
    headers: {},
    createdAt: CREATED_AT,
    updatedAt: CREATED_AT,
    ...changes,
  };
}

/** A caller that may read and publish to the topics of these filters; an absent list allows everything. */
export function callerWith({ read, publish }: { read?: string[]; publish?: string[] }): Caller {
  const allows = (filters: string[] | undefined) => (topic: string) =>
    filters === undefined || filters.some((filter) => covers(filter, topic));
  return { ...ROOT, id: "key_1", mayRead: allows(read), mayPublish: allows(publish), mayPublishAll: allows(publish) };
}

/** The verdict of a check: the code of the refusal and the named fields; empty if nothing is refused. */
export function faultsOf(check: () => unknown): string[] {
  return toFaults(check());
}

/** {@link faultsOf} of an asynchronous check. */
export function faultsOfAsync(check: () => Promise<unknown>): Promise<string[]> {
  return check().then(toFaults);
}

/** The text of a refusal. */
export async function detailOfAsync(check: () => Promise<unknown>): Promise<string> {
  const outcome = await check();
  assert.ok(outcome instanceof Refused, "not refused");
  return outcome.detail;
}

function toFaults(outcome: unknown): string[] {
  if (!(outcome instanceof Refused)) return [];
  return [outcome.code, ...(outcome.errors ?? []).map(({ path }) => path)];
}

/** The result of an operation that must not be refused. */
export async function granted<T>(outcome: Promise<T | Refused>): Promise<T> {
  return unwrap(await outcome);
}
