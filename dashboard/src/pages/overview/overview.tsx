import { useEffect } from "preact/hooks";
import { useLocation } from "preact-iso";
import { Loaded } from "../../components/loaded.tsx";
import { Page } from "../../components/page.tsx";
import { pathTo } from "../../data/address.ts";
import { useRights } from "../../data/session.tsx";
import { NoWebhooks } from "../webhooks/no-webhooks.tsx";
import { AttentionList } from "./attention-list.tsx";
import { Figures } from "./figures.tsx";
import { BooksPanel, BrokerPanel, StorePanel } from "./infrastructure.tsx";
import { leadOf, ratesLead } from "./lead.ts";
import "./overview.css";
import { TrafficChart } from "./traffic-chart.tsx";
import { EXAMINED, useAttention } from "./use-attention.ts";
import { useChecks, useRates, useStatus } from "./use-status.ts";

export default function Overview() {
  const { can } = useRights();
  const { route } = useLocation();
  const seesNothing = !can("view", "admin", "webhooks");
  useEffect(() => {
    // The page that such a key begins with.
    if (seesNothing) route(pathTo("live"), true);
  }, [seesNothing]);
  const status = useStatus();
  const checks = useChecks();
  const attention = useAttention(status.data, checks.data);
  const rates = useRates(status);
  const webhooks = status.data?.webhooks ?? attention.examined;
  const lead = attention.isKnown
    ? leadOf({
        attention: attention.items,
        webhooks,
        paused: attention.paused,
        knowsWebhooks: can("view", "webhooks"),
      })
    : "";
  return (
    <Page
      title="Overview"
      lead={
        <>
          {lead} <span aria-live="off">{ratesLead(rates, rates?.isMessages)}</span>
        </>
      }
    >
      <AttentionList items={attention.items} />
      {attention.isPartial && (
        <p class="small quiet">
          Refused filters and waiting deliveries are those of the first {EXAMINED.toLocaleString("en")} webhooks.
        </p>
      )}
      {webhooks === 0 && <NoWebhooks />}
      {can("view", "admin") && (
        <>
          <Loaded of={status} failure="The status could not be read">
            {(data) => <Figures status={data} rates={rates} />}
          </Loaded>
          <TrafficChart isBusy={(rates?.received ?? 0) > 0} />
          {status.data && (
            <>
              <BooksPanel status={status.data} />
              <div class="grid-2">
                <BrokerPanel status={status.data} />
                <StorePanel status={status.data} />
              </div>
            </>
          )}
        </>
      )}
    </Page>
  );
}
