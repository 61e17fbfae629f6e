import { useQueryClient } from "@tanstack/preact-query";
import type { Webhook } from "causeway-mqtt/client";
import { useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import { ErrorNotice } from "../../components/error-notice.tsx";
import { Field } from "../../components/field.tsx";
import { toast } from "../../components/toasts.tsx";
import { pathTo } from "../../data/address.ts";
import { causeway } from "../../data/causeway.ts";
import { nameOf } from "../../data/states.ts";
import { handOver } from "../webhooks/form/handover.ts";
import { expressionError, isProblem } from "../webhooks/messages/preview.ts";
import type { Bench } from "./use-bench.ts";

/** Filter and transform, with their errors, and where to save them. */
export function Editors({ bench, webhook }: { bench: Bench; webhook: Webhook | undefined }) {
  const { expressions, setExpressions, original, isEdited, preview } = bench;
  return (
    <section class="section" aria-labelledby="editors-title">
      <h2 id="editors-title">Expressions</h2>
      <Field
        label="Filter"
        hint="JSONata over the event. A message is sent only if it is true. Empty: all are sent."
        error={errorOf(bench, "filter")}
      >
        {(props) => (
          <textarea
            {...props}
            class="editor"
            rows={5}
            spellcheck={false}
            placeholder="data.temperature > 30"
            value={expressions.filter}
            onInput={({ currentTarget }) => setExpressions({ filter: currentTarget.value })}
          />
        )}
      </Field>
      <Field
        label="Transform"
        hint="Its result replaces the payload. Empty: the payload is sent as it is."
        error={errorOf(bench, "transform")}
      >
        {(props) => (
          <textarea
            {...props}
            class="editor"
            rows={14}
            spellcheck={false}
            placeholder='{ "device": $split(subject, "/")[1], "celsius": data.temperature }'
            value={expressions.transform}
            onInput={({ currentTarget }) => setExpressions({ transform: currentTarget.value })}
          />
        )}
      </Field>
      {preview.failure && <ErrorNotice error={preview.failure} title="The messages could not be tried" />}
      <OtherErrors bench={bench} />
      <div class="row">
        {webhook && <SaveTo bench={bench} webhook={webhook} />}
        <SaveAsNew bench={bench} webhook={webhook} />
        {isEdited && (
          <button type="button" class="button plain" onClick={() => setExpressions(original)}>
            Undo the edit
          </button>
        )}
      </div>
    </section>
  );
}

/** Refused when it was checked, or failing for one of the messages: the selected one first. */
function errorOf({ preview, selected, resultOf }: Bench, field: "filter" | "transform"): string | undefined {
  if (preview.errors[field] !== undefined) return preview.errors[field];
  const own = selected && resultOf(selected);
  for (const result of [own, ...(preview.results ?? [])]) {
    if (!result || isProblem(result)) continue;
    const failed = expressionError(result);
    if (failed?.field === field) return failed.message;
  }
  return undefined;
}

/** Refused fields that are not on this page, such as the URL of the webhook. */
function OtherErrors({ bench: { preview } }: { bench: Bench }) {
  const others = Object.entries(preview.errors).filter(
    ([path]) => path !== "filter" && path !== "transform" && path !== "topics[0]",
  );
  if (others.length === 0) return null;
  return (
    <div class="notice failed" role="alert">
      {others.map(([path, message]) => (
        <span key={path}>
          <code>{path}</code> {message}
        </span>
      ))}
    </div>
  );
}

function SaveTo({ bench, webhook }: { bench: Bench; webhook: Webhook }) {
  const client = useQueryClient();
  const [error, setError] = useState<Error>();
  const { expressions, original, isEdited, preview } = bench;
  const save = async () => {
    setError(undefined);
    const changed = (["filter", "transform"] as const).filter((field) => expressions[field] !== original[field]);
    const patch = Object.fromEntries(changed.map((field) => [field, expressions[field].trim() || null]));
    try {
      const saved = await causeway.webhooks.update(webhook.id, patch);
      client.setQueryData(["webhook", webhook.id], saved);
      toast(`Saved to ${nameOf(webhook)}. Waiting deliveries use it too.`);
    } catch (failure) {
      setError(failure as Error);
    }
  };
  return (
    <>
      <button type="button" class="button primary" disabled={!isEdited || !preview.isAccepted} onClick={save}>
        Save to {nameOf(webhook)}
      </button>
      {error && <ErrorNotice error={error} title="Nothing was changed" />}
    </>
  );
}

function SaveAsNew({ bench, webhook }: { bench: Bench; webhook: Webhook | undefined }) {
  const { route } = useLocation();
  const open = () => {
    handOver({ ...bench.expressions, topics: bench.topics.join("\n") });
    route(pathTo("webhooks/new"));
  };
  return (
    <button type="button" class={webhook ? "button" : "button primary"} onClick={open}>
      Save as a new webhook
    </button>
  );
}
