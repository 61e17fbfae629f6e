import { useQueryClient } from "@tanstack/preact-query";
import type { Webhook } from "causeway-mqtt/client";
import { useMemo, useState } from "preact/hooks";
import { useLocation, useRoute } from "preact-iso";
import { ListLink } from "../../components/list-link.tsx";
import { Loaded } from "../../components/loaded.tsx";
import { Page } from "../../components/page.tsx";
import { toast } from "../../components/toasts.tsx";
import { pathTo } from "../../data/address.ts";
import { causeway } from "../../data/causeway.ts";
import { useData } from "../../data/query.ts";
import { useRights } from "../../data/session.tsx";
import { nameOf } from "../../data/states.ts";
import { NoRight } from "./detail/no-right.tsx";
import { draftOf, patchOf } from "./form/draft.ts";
import { FormOfWebhook } from "./form/form.tsx";
import { sentenceOf } from "./form/sentence.ts";
import { useWebhookForm } from "./form/use-form.ts";

export default function EditWebhook() {
  const { can } = useRights();
  const id = useRoute().params.id!;
  // Read anew for each and then kept: a change elsewhere must not take away what is being typed.
  const openedAt = useMemo(() => Date.now(), []);
  const webhook = useData(["webhook-to-edit", id, openedAt], (options) => causeway.webhooks.get(id, options));
  if (!can("webhooks")) return <NoRight title="Edit a webhook" />;
  if (webhook.data) return <EditForm key={id} webhook={webhook.data} />;
  return (
    <Page title="Edit a webhook">
      <Loaded of={webhook} failure="The webhook could not be read" list={<ListLink to="webhooks" />}>
        {() => null}
      </Loaded>
    </Page>
  );
}

function EditForm({ webhook: opened }: { webhook: Webhook }) {
  const [webhook] = useState(opened);
  const client = useQueryClient();
  const { route } = useLocation();
  const form = useWebhookForm(draftOf(webhook));
  const patch = patchOf(webhook, form.draft);
  const page = pathTo(`webhooks/${webhook.id}`);
  const save = async () => {
    if (!patch) return;
    await causeway.webhooks.update(webhook.id, patch);
    void client.invalidateQueries({ queryKey: ["webhooks"] });
    await client.invalidateQueries({ queryKey: ["webhook", webhook.id] });
    const count = Object.keys(patch).length;
    toast(`Saved ${count === 1 ? "1 change" : `${count} changes`} to ${nameOf(webhook)}.`);
    route(page);
  };
  return (
    <Page title={`Edit ${nameOf(webhook)}`} lead={sentenceOf(form.draft)}>
      <FormOfWebhook
        form={form}
        isNew={false}
        action="Save the changes"
        isUnchanged={patch === undefined}
        onSave={save}
        onCancel={() => route(page)}
      />
    </Page>
  );
}
