import type { Webhook } from "causeway-mqtt/client";
import { useLocation } from "preact-iso";
import { ListLink } from "../../components/list-link.tsx";
import { Loaded } from "../../components/loaded.tsx";
import { Page } from "../../components/page.tsx";
import { causeway } from "../../data/causeway.ts";
import { useData } from "../../data/query.ts";
import { useRights } from "../../data/session.tsx";
import { NoRight } from "../webhooks/detail/no-right.tsx";
import { Bench } from "./bench.tsx";

/** Filter and transform, tried on real messages. */
export default function Workbench() {
  const { can } = useRights();
  const id = useLocation().query.webhook ?? "";
  const webhook = useData<Webhook>(["webhook", id], (options) => causeway.webhooks.get(id, options), {
    enabled: id !== "",
  });
  if (!can("webhooks")) return <NoRight title="Workbench" />;
  if (id === "") return <Bench key="new" webhook={undefined} />;
  if (webhook.data) return <Bench key={id} webhook={webhook.data} />;
  return (
    <Page title="Workbench">
      <Loaded of={webhook} failure="The webhook could not be read" list={<ListLink to="webhooks" />}>
        {() => null}
      </Loaded>
    </Page>
  );
}
