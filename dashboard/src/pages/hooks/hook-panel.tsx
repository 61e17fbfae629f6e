import { useQueryClient } from "@tanstack/preact-query";
import type { Hook } from "causeway-mqtt/client";
import { useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import { Copy } from "../../components/copy.tsx";
import { Confirm, Dialog } from "../../components/dialog.tsx";
import { ListLink } from "../../components/list-link.tsx";
import { Loaded } from "../../components/loaded.tsx";
import { StateMark } from "../../components/state-mark.tsx";
import { Time } from "../../components/time.tsx";
import { toast } from "../../components/toasts.tsx";
import { pathTo } from "../../data/address.ts";
import { causeway } from "../../data/causeway.ts";
import { countOf } from "../../data/format.ts";
import { useData } from "../../data/query.ts";
import { hookCommand } from "./hook-command.ts";
import { draftOf, patchOf, verifyWords } from "./hook-form.ts";
import { HookForm } from "./hook-form.tsx";
import { hookMark } from "./hook-table.tsx";

/** A hook beside the list: its address, its settings, and what can be done with it. */
export function HookPanel({ id, isNew }: { id: string; isNew: boolean }) {
  const { route } = useLocation();
  const hook = useData(["hooks", id], (options) => causeway.hooks.get(id, options));
  return (
    <Dialog title={hook.data?.name ?? "Hook"} side onClose={() => route(pathTo("hooks"))}>
      <Loaded of={hook} failure="The hook could not be read" list={<ListLink to="hooks" />}>
        {(one) => <Opened hook={one} isNew={isNew} />}
      </Loaded>
    </Dialog>
  );
}

function Opened({ hook, isNew }: { hook: Hook; isNew: boolean }) {
  const { route } = useLocation();
  const queries = useQueryClient();
  const [open, setOpen] = useState<"edit" | "delete">();
  const refresh = () => queries.invalidateQueries({ queryKey: ["hooks"] });
  const { id, name } = hook;
  if (open === "edit") {
    return (
      <HookForm
        initial={draftOf(hook)}
        hook={hook}
        action="Save the changes"
        isUnchanged={(draft) => patchOf(hook, draft) === undefined}
        onSave={async (draft) => {
          const patch = patchOf(hook, draft)!;
          await causeway.hooks.update(id, patch);
          await refresh();
          toast(`Saved ${countOf(Object.keys(patch).length, "change")} to ${name}.`);
          setOpen(undefined);
        }}
      />
    );
  }
  return (
    <div class="section">
      {isNew && (
        <div class="notice delivered" role="status">
          The hook is created. Give its address to the service that calls it.
        </div>
      )}
      {hook.stoppedReason && (
        <div class="notice failed">
          <strong>Stopped: calls are refused</strong>
          <span>{hook.stoppedReason}. Create the hook again with another key, or give the key its rights back.</span>
        </div>
      )}
      <Address hook={hook} />
      <HookFacts hook={hook} />
      <p class="quiet small">
        The bridge keeps no list of calls. Its log has a line <code>hook_called</code> for each one, and the message of
        a call that was stored has a page of its own.
      </p>
      <div class="row">
        <button type="button" class="button" onClick={() => setOpen("edit")}>
          Edit
        </button>
        <button type="button" class="button danger" onClick={() => setOpen("delete")}>
          Delete
        </button>
      </div>
      {open === "delete" && (
        <Confirm
          title={`Delete ${name}`}
          action="Delete the hook"
          name={name}
          onConfirm={async () => {
            await causeway.hooks.delete(id);
            toast(`Deleted ${name}.`);
            route(pathTo("hooks"));
            await refresh();
          }}
          onClose={() => setOpen(undefined)}
        >
          <p>
            Its address returns 404 from now on and cannot be restored: the service that calls it needs another one.
            Messages that are stored already are published.
          </p>
        </Confirm>
      )}
    </div>
  );
}

/** The path contains a secret, so it is shown on demand. */
function Address({ hook }: { hook: Hook }) {
  const url = new URL(hook.path, location.origin).href;
  const command = hookCommand(url, hook);
  return (
    <section class="section" aria-labelledby="address-title">
      <h3 id="address-title">Address</h3>
      <pre class="once">{url}</pre>
      <p class="quiet small">Its last part is secret: everyone who knows the address can call it.</p>
      <div class="row">
        <Copy text={url} label="Copy the address" />
        <Copy text={command} label="Copy as curl" />
      </div>
    </section>
  );
}

function HookFacts({ hook }: { hook: Hook }) {
  const { topic, payload, qos, retain, verify, methods, durable, rateLimit, createdBy, createdAt, id } = hook;
  return (
    <dl class="facts">
      <dt>State</dt>
      <dd>
        <StateMark {...hookMark(hook)} />
      </dd>
      <dt>Topic</dt>
      <dd class="mono">{topic}</dd>
      <dt>Payload</dt>
      <dd class={payload === null ? undefined : "mono"}>{payload ?? "the body of the call"}</dd>
      <dt>Verified</dt>
      <dd>{verifyWords(verify)}</dd>
      <dt>Methods</dt>
      <dd>{methods.join(", ")}</dd>
      <dt>Message</dt>
      <dd>
        QoS {qos}
        {retain && ", retained"}, {durable ? "stored before the response" : "published during the call"}
      </dd>
      {rateLimit && (
        <>
          <dt>Limit</dt>
          <dd>
            {countOf(rateLimit.max, "call")} in {rateLimit.perSeconds} s
          </dd>
        </>
      )}
      <dt>Rights of</dt>
      <dd class="mono">{createdBy}</dd>
      <dt>Created</dt>
      <dd>
        <Time at={createdAt} exact />
      </dd>
      <dt>Id</dt>
      <dd class="mono">{id}</dd>
    </dl>
  );
}
