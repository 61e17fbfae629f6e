import { useQueryClient } from "@tanstack/preact-query";
import type { CreatedWebhook } from "causeway-mqtt/client";
import { useMemo, useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import { Page } from "../../components/page.tsx";
import { pathTo } from "../../data/address.ts";
import { causeway } from "../../data/causeway.ts";
import { useRights } from "../../data/session.tsx";
import { NoRight } from "./detail/no-right.tsx";
import { Created } from "./form/created.tsx";
import { EMPTY, inputOf } from "./form/draft.ts";
import { FormOfWebhook } from "./form/form.tsx";
import { takeOver } from "./form/handover.ts";
import { sentenceOf } from "./form/sentence.ts";
import { useWebhookForm } from "./form/use-form.ts";

export default function NewWebhook() {
  const { can } = useRights();
  const [created, setCreated] = useState<CreatedWebhook>();
  if (!can("webhooks")) return <NoRight title="New webhook" />;
  return created ? <Created webhook={created} /> : <NewForm onCreated={setCreated} />;
}

function NewForm({ onCreated }: { onCreated: (webhook: CreatedWebhook) => void }) {
  const client = useQueryClient();
  const { route, query } = useLocation();
  const form = useWebhookForm(useMemo(() => ({ ...EMPTY, topics: query.topic ?? "", ...takeOver() }), []));
  const save = async () => {
    const webhook = await causeway.webhooks.create(inputOf(form.draft));
    void client.invalidateQueries({ queryKey: ["webhooks"] });
    onCreated(webhook);
  };
  return (
    <Page title="New webhook" lead={sentenceOf(form.draft)}>
      <FormOfWebhook
        form={form}
        isNew
        action="Create the webhook"
        onSave={save}
        onCancel={() => route(pathTo("webhooks"))}
      />
    </Page>
  );
}
