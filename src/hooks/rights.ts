/** Rights behind a hook: those of the key that created it, as they are now. */

import type { Refused } from "../errors.ts";
import { type Caller, checkPublishAll } from "../keys/caller.ts";
import type { Hook } from "./hook.ts";
import { filterOf, type TopicTemplate } from "./template.ts";

type HookRights = Pick<Caller, "may" | "mayPublish" | "mayPublishAll">;

/** Returns the rights of a key; undefined if it was withdrawn or has expired. */
export type RightsOf = (keyId: string) => HookRights | undefined;

/** Refuses a template that can become a topic which the key may not publish to. */
export function checkTemplate(caller: Caller, template: TopicTemplate): Refused | undefined {
  return checkPublishAll(caller, filterOf(template), "topic");
}

/** Why the hook publishes nothing, whatever it is called with; undefined if it may publish. */
export function stoppedReason({ createdBy }: Hook, template: TopicTemplate, rightsOf: RightsOf): string | undefined {
  const rights = rightsOf(createdBy);
  if (!rights) return `the key ${createdBy}, which created the hook, was withdrawn or has expired`;
  if (!rights.may("publish")) return `the key ${createdBy} does not have the scope publish any more`;
  const filter = filterOf(template);
  return rights.mayPublishAll(filter) ? undefined : `the key ${createdBy} may not publish to ${filter} any more`;
}
