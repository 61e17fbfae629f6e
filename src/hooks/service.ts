/** Hook operations of the API: create, list, get, update, remove. */
import { Refused, refuseField } from "../errors.ts";
import type { Caller } from "../keys/caller.ts";
import { afterOf, type Page, pageOfWanted } from "../lib/cursor.ts";
import type { ExternalIds } from "../store/external-ids.ts";
import {
  changedHook,
  type Hook,
  type HookDto,
  type HookInput,
  type HookPatch,
  MAX_HOOKS,
  newHook,
  replacementOf,
  toDto,
  type Verification,
} from "./hook.ts";
import { HookPreviews, type HookPreviewsOptions, type PreviewedMessage, type SampleCall } from "./preview.ts";
import type { HookRegistry } from "./registry.ts";
import { checkTemplate, type RightsOf, stoppedReason } from "./rights.ts";
import { parseTopic, type TopicTemplate } from "./template.ts";
import { checkVerification } from "./verification-rules.ts";

export interface HookServiceOptions extends HookPreviewsOptions {
  hooks: HookRegistry;
  externalIds: Pick<ExternalIds<Hook>, "create" | "put" | "remove">;
  rightsOf: RightsOf;
  /** Returns the syntax error of a JSONata expression, if any. */
  expressionError(expression: string): Promise<string | undefined | Refused>;
}

export class HookService {
  readonly #previews: HookPreviews;

  constructor(private readonly options: HookServiceOptions) {
    this.#previews = new HookPreviews(options);
  }

  async create(input: HookInput, caller: Caller): Promise<HookDto | Refused> {
    const { hooks } = this.options;
    if (hooks.size >= MAX_HOOKS) return new Refused("too_many_hooks", `the limit of ${MAX_HOOKS} hooks is reached`);
    const checked = await this.#check(input);
    if (checked instanceof Refused) return checked;
    const { template, verify = { type: "none" } } = checked;
    const refused = checkTemplate(caller, template!);
    if (refused) return refused;
    const hook = newHook(input, verify, caller.id, new Date());
    const created = await this.options.externalIds.create(hook);
    return created ? this.#toDto(created) : taken(input.externalId!);
  }

  /** Returns the message that a call of such a hook would publish. Stores and publishes nothing. */
  async preview(input: HookInput, call: SampleCall, caller: Caller): Promise<PreviewedMessage | Refused> {
    const checked = await this.#check(input);
    if (checked instanceof Refused) return checked;
    const template = checked.template!;
    const refused = checkTemplate(caller, template);
    return refused ?? this.#previews.of(input, template, call, caller.id);
  }

  /** Lists the hooks that the caller may see, ordered by id. */
  async list({ limit, after }: { limit: number; after?: string }, caller: Caller): Promise<Page<HookDto> | Refused> {
    const from = afterOf(after, "hk");
    if (from instanceof Refused) return from;
    const read = (range: { limit: number; after?: string }) => this.options.hooks.list(range);
    const { items, nextCursor } = await pageOfWanted(read, (hook) => isVisible(hook, caller), { limit, ...from });
    return { items: items.map((hook) => this.#toDto(hook)), nextCursor };
  }

  async get(id: string, caller: Caller): Promise<HookDto | Refused> {
    const hook = await this.#visible(id, caller);
    return hook instanceof Refused ? hook : this.#toDto(hook);
  }

  /** Creates the hook with this external id, or replaces all its settings. */
  async put(
    externalId: string,
    input: HookInput,
    caller: Caller,
  ): Promise<{ created: boolean; registered: HookDto } | Refused> {
    if ((input.externalId ?? externalId) !== externalId) {
      return refuseField("invalid_request", "externalId", "must be the external id in the path");
    }
    return this.options.externalIds.put(externalId, {
      create: () => this.create({ ...input, externalId }, caller),
      replace: async (current) =>
        isVisible(current, caller) ? this.update(current.id, replacementOf(input), caller) : taken(externalId),
    });
  }

  async update(id: string, patch: HookPatch, caller: Caller): Promise<HookDto | Refused> {
    const before = await this.#visible(id, caller);
    if (before instanceof Refused) return before;
    const checked = await this.#check(patch);
    if (checked instanceof Refused) return checked;
    const { template, verify } = checked;
    // A hook publishes with the rights of the key that created it, also when an administrator changes it.
    const stopped = template && stoppedReason(before, template, this.options.rightsOf);
    if (stopped !== undefined) return refuseField("forbidden_topic", "topic", stopped);
    const hook = await this.options.hooks.update(id, (current) => changedHook(current, patch, verify, new Date()));
    return hook ? this.#toDto(hook) : noHook(id);
  }

  async remove(id: string, caller: Caller): Promise<Refused | undefined> {
    const hook = await this.#visible(id, caller);
    if (hook instanceof Refused) return hook;
    return (await this.options.externalIds.remove(id, hook.externalId)) ? undefined : noHook(id);
  }

  async #visible(id: string, caller: Caller): Promise<Hook | Refused> {
    const hook = await this.options.hooks.read(id);
    return hook && isVisible(hook, caller) ? hook : noHook(id);
  }

  /** Checks the given fields. */
  async #check({
    topic,
    payload,
    verify,
  }: HookPatch): Promise<{ template: TopicTemplate | undefined; verify: Verification | undefined } | Refused> {
    const template = topic === undefined ? undefined : parseTopic(topic);
    if (typeof template === "string") return refuseField("invalid_topic", "topic", template);
    const checked = verify && checkVerification(verify);
    if (checked instanceof Refused) return checked;
    const expressions = (template?.expressions ?? []).map((text) => ["topic", text] as const);
    for (const [path, text] of [...expressions, ...(payload == null ? [] : [["payload", payload] as const])]) {
      const wrong = await this.options.expressionError(text);
      if (wrong instanceof Refused) return wrong;
      if (wrong !== undefined) return refuseField("invalid_request", path, wrong);
    }
    return { template, verify: checked };
  }

  #toDto(hook: Hook): HookDto {
    const template = parseTopic(hook.topic);
    const stopped = typeof template === "string" ? template : stoppedReason(hook, template, this.options.rightsOf);
    return toDto(hook, stopped);
  }
}

/** A key sees and changes only the hooks that it created; their paths are secret from all others. */
function isVisible({ createdBy }: Hook, caller: Caller): boolean {
  return createdBy === caller.id || caller.may("admin");
}

function taken(externalId: string): Refused {
  return new Refused("conflict", `there is another hook with the externalId ${externalId}`);
}

function noHook(id: string): Refused {
  return new Refused("not_found", `there is no hook ${id}`);
}
