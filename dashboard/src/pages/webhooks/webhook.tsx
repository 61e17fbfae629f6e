import { failedAttempts } from "causeway-mqtt/client";
import { useRoute } from "preact-iso";
import { ListLink } from "../../components/list-link.tsx";
import { Loaded } from "../../components/loaded.tsx";
import { Page } from "../../components/page.tsx";
import { causeway } from "../../data/causeway.ts";
import { isUtc, now } from "../../data/clock.ts";
import { EVERY, useData } from "../../data/query.ts";
import { useRights } from "../../data/session.tsx";
import { nameOf } from "../../data/states.ts";
import { Actions } from "./detail/actions.tsx";
import { Charts } from "./detail/charts.tsx";
import { Counts } from "./detail/counts.tsx";
import { DangerZone } from "./detail/danger-zone.tsx";
import { Facts } from "./detail/facts.tsx";
import { HowToPull } from "./detail/how-to-pull.tsx";
import { Notices } from "./detail/notices.tsx";
import { RecentDeliveries } from "./detail/recent-deliveries.tsx";
import { ReplayProgress } from "./detail/replay-progress.tsx";
import { stateInWords } from "./detail/summary.ts";
import "./webhook-pages.css";

export default function WebhookPage() {
  const { can } = useRights();
  const id = useRoute().params.id!;
  const webhook = useData(["webhook", id], (options) => causeway.webhooks.get(id, options), { everyMs: EVERY.few });
  const { failingSince, counts } = webhook.data ?? {};
  const isLate = Boolean(failingSince) || (counts?.retrying ?? 0) > 0;
  const failed = useData(
    ["webhook", id, "failed-attempts"],
    (options) => failedAttempts(causeway, { id, failingSince: failingSince ?? null }, options),
    {
      everyMs: EVERY.few,
      enabled: isLate,
    },
  );
  const { data } = webhook;
  const late = isLate ? (failed.data ?? []) : [];
  return (
    <Page
      title={data ? nameOf(data) : "Webhook"}
      lead={data && stateInWords(data, late, { now: now.value, isUtc: isUtc.value })}
      actions={data && can("webhooks") && <Actions webhook={data} />}
    >
      <Loaded of={webhook} failure="The webhook could not be read" list={<ListLink to="webhooks" />}>
        {(one) => (
          <>
            <Notices webhook={one} />
            <ReplayProgress webhookId={id} />
            <Counts webhook={one} />
            {one.type === "pull" && <HowToPull webhook={one} />}
            <Charts webhook={one} />
            <RecentDeliveries webhook={one} />
            <Facts webhook={one} />
            {can("webhooks") && <DangerZone webhook={one} />}
          </>
        )}
      </Loaded>
    </Page>
  );
}
