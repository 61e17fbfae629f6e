import { useQueryClient } from "@tanstack/preact-query";
import type { CreatedKey, Key } from "causeway-mqtt/client";
import { useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import { Confirm, Dialog } from "../../components/dialog.tsx";
import { Loaded } from "../../components/loaded.tsx";
import { More } from "../../components/more.tsx";
import { Page } from "../../components/page.tsx";
import { toast } from "../../components/toasts.tsx";
import { pathTo } from "../../data/address.ts";
import { causeway } from "../../data/causeway.ts";
import { now } from "../../data/clock.ts";
import { formatRelative } from "../../data/format.ts";
import { EVERY, useList } from "../../data/query.ts";
import { useRights } from "../../data/session.tsx";
import { CreateKey } from "./create-key.tsx";
import { CreatedKeyView } from "./created-key.tsx";
import { keysLead } from "./key-form.ts";
import { KeyTable } from "./key-table.tsx";
import { PortalLink } from "./portal-link.tsx";
import "./keys.css";

/** Who may do what. */
export default function Keys() {
  const { can } = useRights();
  return can("admin") ? (
    <AllKeys />
  ) : (
    <Page title="Keys" lead="This key may not see the keys: it lacks the scope admin." />
  );
}

function AllKeys() {
  const { query, route } = useLocation();
  const queries = useQueryClient();
  const [created, setCreated] = useState<CreatedKey>();
  const [revoked, setRevoked] = useState<Key>();
  const [portal, setPortal] = useState<Key>();
  const list = useList(["keys"], (after, options) => causeway.keys.list({ after, limit: 50 }, options).page(), {
    everyMs: EVERY.slow,
  });
  const refresh = () => queries.invalidateQueries({ queryKey: ["keys"] });
  const close = () => route(pathTo("keys"));
  return (
    <Page
      title="Keys"
      lead={list.items && keysLead(list.items, list.hasMore, now.value)}
      actions={
        <a class="button primary" href={pathTo("keys", { new: "1" })}>
          New key
        </a>
      }
    >
      <Loaded of={{ ...list, data: list.items }} failure="The keys could not be read">
        {(keys) =>
          keys.length === 0 ? <NoKeys /> : <KeyTable keys={keys} onRevoke={setRevoked} onPortal={setPortal} />
        }
      </Loaded>
      <More list={list} />
      {query.new && !created && (
        <Dialog title="New key" side onClose={close}>
          <CreateKey
            onCreated={(key) => {
              setCreated(key);
              void refresh();
            }}
          />
        </Dialog>
      )}
      {created && (
        <Dialog
          title={`Key ${created.name}`}
          onClose={() => {
            setCreated(undefined);
            close();
          }}
        >
          <CreatedKeyView created={created} />
        </Dialog>
      )}
      {portal && <PortalLink of={portal} onClose={() => setPortal(undefined)} />}
      {revoked && (
        <Confirm
          title={`Revoke ${revoked.name}`}
          action={`Revoke ${revoked.name}`}
          name={revoked.name}
          onConfirm={async () => {
            await causeway.keys.delete(revoked.id);
            await refresh();
            toast(`Revoked ${revoked.name}.`);
          }}
          onClose={() => setRevoked(undefined)}
        >
          <RevokeConsequence of={revoked} />
        </Confirm>
      )}
    </Page>
  );
}

function RevokeConsequence({ of: { lastUsedAt } }: { of: Key }) {
  const used =
    lastUsedAt === null ? "was never used" : `was last used ${formatRelative(Date.parse(lastUsedAt), now.value)}`;
  return (
    <p>
      This key {used}. Within a second every call with it is refused with 401, its streams and sessions end, and it
      cannot be restored.
    </p>
  );
}

function NoKeys() {
  return (
    <div class="empty">
      <p>
        There is only the first key, which may do everything. Give each program a key of its own, with the topics it
        needs.
      </p>
      <a class="button" href={pathTo("keys", { new: "1" })}>
        New key
      </a>
    </div>
  );
}
