import { useQueryClient } from "@tanstack/preact-query";
import { useLocation } from "preact-iso";
import { Dialog } from "../../components/dialog.tsx";
import { Loaded } from "../../components/loaded.tsx";
import { More } from "../../components/more.tsx";
import { Page } from "../../components/page.tsx";
import { pathTo } from "../../data/address.ts";
import { causeway } from "../../data/causeway.ts";
import { EVERY, useList } from "../../data/query.ts";
import { useRights } from "../../data/session.tsx";
import { hooksLead, inputOf, NEW_HOOK } from "./hook-form.ts";
import { HookForm } from "./hook-form.tsx";
import { HookPanel } from "./hook-panel.tsx";
import { HookTable } from "./hook-table.tsx";
import "./hooks.css";

/** The addresses that other services call. */
export default function Hooks() {
  const { can } = useRights();
  return can("publish", "admin") ? (
    <AllHooks />
  ) : (
    <Page title="Hooks" lead="This key may not see hooks: it lacks the scopes publish and admin." />
  );
}

function AllHooks() {
  const { can } = useRights();
  const { query, route } = useLocation();
  const queries = useQueryClient();
  const list = useList(["hooks"], (after, options) => causeway.hooks.list({ after, limit: 50 }, options).page(), {
    everyMs: EVERY.slow,
  });
  const canCreate = can("publish");
  return (
    <Page
      title="Hooks"
      lead={list.items && hooksLead(list.items, list.hasMore)}
      actions={
        canCreate && (
          <a class="button primary" href={pathTo("hooks", { new: "1" })}>
            New hook
          </a>
        )
      }
    >
      <Loaded of={{ ...list, data: list.items }} failure="The hooks could not be read">
        {(hooks) => (hooks.length === 0 ? <NoHooks canCreate={canCreate} /> : <HookTable hooks={hooks} />)}
      </Loaded>
      <More list={list} />
      {query.new && canCreate && (
        <Dialog title="New hook" side onClose={() => route(pathTo("hooks"))}>
          <HookForm
            initial={NEW_HOOK}
            action="Create the hook"
            onSave={async (draft) => {
              const { id } = await causeway.hooks.create(inputOf(draft));
              void queries.invalidateQueries({ queryKey: ["hooks"] });
              route(pathTo("hooks", { hook: id, created: "1" }));
            }}
          />
        </Dialog>
      )}
      {query.hook && <HookPanel key={query.hook} id={query.hook} isNew={query.created !== undefined} />}
    </Page>
  );
}

function NoHooks({ canCreate }: { canCreate: boolean }) {
  return (
    <div class="empty">
      <p>
        A hook is an address that another service calls, such as GitHub, Stripe or a button that opens a link. The
        bridge verifies the call and publishes a message.
      </p>
      {canCreate && (
        <a class="button" href={pathTo("hooks", { new: "1" })}>
          New hook
        </a>
      )}
    </div>
  );
}
