import type { Webhook } from "causeway-mqtt/client";
import { Page } from "../../components/page.tsx";
import { pathTo } from "../../data/address.ts";
import { nameOf } from "../../data/states.ts";
import "../webhooks/webhook-pages.css";
import { passesInWords } from "../webhooks/messages/preview.ts";
import { Editors } from "./editors.tsx";
import { MessageList } from "./message-list.tsx";
import { Result } from "./result.tsx";
import { type Bench as BenchState, useBench } from "./use-bench.ts";

export function Bench({ webhook }: { webhook: Webhook | undefined }) {
  const bench = useBench(webhook);
  return (
    <Page
      title={webhook ? `Workbench: ${nameOf(webhook)}` : "Workbench"}
      lead={leadOf(bench)}
      actions={
        webhook && (
          <a class="button" href={pathTo(`webhooks/${webhook.id}`)}>
            Back to the webhook
          </a>
        )
      }
    >
      <div class="workbench">
        <MessageList bench={bench} />
        <Editors bench={bench} webhook={webhook} />
        <Result bench={bench} />
      </div>
    </Page>
  );
}

function leadOf({ preview, samples, tried, topics }: BenchState): string {
  if (preview.results && preview.results.length > 0) return passesInWords(preview.results);
  if (tried.length > 0) return Object.keys(preview.errors).length > 0 ? "The expression is refused." : "Trying";
  if (samples.isLoading) return "Looking for messages";
  if (samples.error) return "Which messages there are is unknown.";
  return `No message on ${topics.join(", ")} yet.`;
}
