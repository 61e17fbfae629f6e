import type { Status } from "causeway-mqtt/client";
import { Loaded } from "../../components/loaded.tsx";
import { Page } from "../../components/page.tsx";
import { StateMark } from "../../components/state-mark.tsx";
import { pathTo } from "../../data/address.ts";
import { formatDuration } from "../../data/format.ts";
import { EVERY } from "../../data/query.ts";
import { useRights } from "../../data/session.tsx";
import type { Check } from "../../data/states.ts";
import { BrokerPanel, StorePanel } from "../overview/infrastructure.tsx";
import { useChecks, useStatus } from "../overview/use-status.ts";
import { Browser } from "./browser.tsx";
import { Configuration } from "./configuration.tsx";
import { ConfigurationFolder } from "./configuration-folder.tsx";
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
          {checks.data && <Checks checks={checks.data} />}
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

const WORDS: Record<string, string> = {
  broker: "The connection that publishes",
  uplink: "Receiving from the broker, with every filter subscribed",
  store: "Reading and writing the store",
  consumption: "A job passes through a queue and its worker",
};

function Checks({ checks }: { checks: Record<string, Check> }) {
  return (
    <section class="panel section" aria-label="Checks">
      <h2>Checks</h2>
      <ul class="checks">
        {Object.entries(checks).map(([name, { ok, detail }]) => (
          <li key={name}>
            <StateMark tone={ok ? "delivered" : "failed"} word={ok ? "Passes" : "Fails"} />
            <code>{name}</code>
            <span>
              {WORDS[name]}
              {detail && <span class={ok ? "quiet" : "state failed"}>: {detail}</span>}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
