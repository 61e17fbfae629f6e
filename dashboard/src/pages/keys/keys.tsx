import { useQueryClient } from "@tanstack/preact-query";
import type { CreatedKey, Key } from "causeway-mqtt/client";
import { useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import { Confirm, Dialog } from "../../components/dialog.tsx";
import { Loaded } from "../../components/loaded.tsx";
import { More } from "../../components/more.tsx";
import { Page } from "../../components/page.tsx";
import { StateMark } from "../../components/state-mark.tsx";
import { Time } from "../../components/time.tsx";
import { toast } from "../../components/toasts.tsx";
import { pathTo } from "../../data/address.ts";
import { causeway } from "../../data/causeway.ts";
import { now } from "../../data/clock.ts";
import { formatRelative } from "../../data/format.ts";
import { EVERY, useList } from "../../data/query.ts";
import { useRights } from "../../data/session.tsx";
import { CreateKey } from "./create-key.tsx";
import { CreatedKeyView } from "./created-key.tsx";
import { keysLead, limitWords } from "./key-form.ts";
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
        {(keys) => (keys.length === 0 ? <NoKeys /> : <KeyTable keys={keys} onRevoke={setRevoked} />)}
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

function KeyTable({ keys, onRevoke }: { keys: readonly Key[]; onRevoke: (key: Key) => void }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
    <section class="table-wrap" tabIndex={0} aria-label="Keys">
      <table class="table">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Scopes</th>
            <th scope="col">May publish to</th>
            <th scope="col">May read</th>
            <th scope="col">Limit</th>
            <th scope="col">Last use</th>
            <th scope="col">Expires</th>
            <th scope="col">
              <span class="visually-hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {keys.map((key) => (
            <tr key={key.id}>
              <th scope="row" class="key-name">
                {key.name}
              </th>
              <td>{key.scopes.join(", ")}</td>
              <Filters filters={key.publish} />
              <Filters filters={key.read} />
              <td>{limitWords(key)}</td>
              <td>{key.lastUsedAt === null ? "never" : <Time at={key.lastUsedAt} />}</td>
              <td>
                <Expires at={key.expiresAt} />
              </td>
              <td class="number">
                <button
                  type="button"
                  class="button danger"
                  data-row
                  aria-label={`Revoke ${key.name}`}
                  onClick={() => onRevoke(key)}
                >
                  Revoke
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

const SHOWN_FILTERS = 3;

function Filters({ filters }: { filters: readonly string[] }) {
  return (
    <td class="mono wide" title={filters.join("\n")}>
      {filters.length === 0 && "–"}
      {filters.slice(0, SHOWN_FILTERS).map((filter) => (
        <div key={filter}>{filter}</div>
      ))}
      {filters.length > SHOWN_FILTERS && `and ${filters.length - SHOWN_FILTERS} more`}
    </td>
  );
}

function Expires({ at }: { at: string | null }) {
  if (at === null) return <>never</>;
  if (Date.parse(at) <= now.value) return <StateMark tone="failed" word="Expired" />;
  return <Time at={at} />;
}
