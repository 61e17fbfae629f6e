import type { Status } from "causeway-mqtt/client";
import { Loaded } from "../../components/loaded.tsx";
import { Page } from "../../components/page.tsx";
import { pathTo } from "../../data/address.ts";
import { formatDuration } from "../../data/format.ts";
import { EVERY } from "../../data/query.ts";
import { useRights } from "../../data/session.tsx";
import { BrokerPanel, StorePanel } from "../overview/infrastructure.tsx";
import { useChecks, useStatus } from "../overview/use-status.ts";
import { Browser } from "./browser.tsx";
import { Configuration } from "./configuration.tsx";
import { ConfigurationFolder } from "./configuration-folder.tsx";
import { Findings } from "./findings.tsx";
import { checksLead } from "./words.ts";

export default function Settings() {
  const { can } = useRights();
  const seesStatus = can("view", "admin");
  const status = useStatus(EVERY.few);
  const checks = useChecks();
  return (
    <Page
      title="Settings"
      lead={
        <>
          {status.data && <span aria-live="off">{upLead(status.data)} </span>}
          {checks.data && checksLead(checks.data)}
        </>
      }
      actions={
        <a class="button" href={pathTo("docs")} target="_blank" rel="noreferrer">
          API documentation
        </a>
      }
    >
      {seesStatus && (
        <>
          <Findings checks={checks.data} status={status.data} />
          <Loaded of={status} failure="The status could not be read">
            {(data) => (
              <div class="grid-2">
                <BrokerPanel status={data} />
                <StorePanel status={data} />
              </div>
            )}
          </Loaded>
        </>
      )}
      {status.data?.configuration && <ConfigurationFolder configuration={status.data.configuration} />}
      <Browser />
      {status.data && <Configuration status={status.data} />}
    </Page>
  );
}

function upLead({ version, node, uptimeSeconds }: Status): string {
  const uptime = typeof uptimeSeconds === "number" ? `, up ${formatDuration(uptimeSeconds * 1_000)}` : "";
  return `Causeway ${version} on Node.js ${node?.replace(/^v/, "")}${uptime}.`;
}
