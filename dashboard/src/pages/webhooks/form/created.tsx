import type { CreatedWebhook } from "causeway-mqtt/client";
import { Page } from "../../../components/page.tsx";
import { pathTo } from "../../../data/address.ts";
import { nameOf } from "../../../data/states.ts";
import { HowToPull } from "../detail/how-to-pull.tsx";
import { Secret } from "../detail/secret.tsx";

export function Created({ webhook }: { webhook: CreatedWebhook }) {
  if (webhook.type === "push") return <CreatedPush webhook={webhook} />;
  return (
    <Page
      title={`${nameOf(webhook)} is created`}
      lead={`It keeps messages on ${webhook.topics.join(", ") || "no topic"} until a consumer takes them.`}
    >
      <HowToPull webhook={webhook} />
      <NextPages webhook={webhook} />
    </Page>
  );
}

/** The secret of a new webhook, which no later page can show, and what to do with it. */
function CreatedPush({ webhook }: { webhook: CreatedWebhook }) {
  const isPending = webhook.verification?.state === "pending";
  return (
    <Page
      title={`${nameOf(webhook)} is created`}
      lead={
        isPending
          ? "It delivers once its receiver agrees."
          : `It sends messages on ${webhook.topics.join(", ") || "no topic"} to ${webhook.url}.`
      }
    >
      <section class="panel section">
        <h2>Signing secret</h2>
        <Secret secret={webhook.secret} />
      </section>
      <section class="panel section">
        <h2>Next</h2>
        <ol class="next-steps">
          <li>
            Give the secret to the receiver, so that it can verify the signature of each call. The{" "}
            <a href={pathTo("docs")} target="_blank" rel="noreferrer">
              API documentation
            </a>{" "}
            describes the call.
          </li>
          <li>
            {webhook.transform
              ? "Publish a message on one of its topics. Test events skip filter and transform."
              : "Send a test event, or publish a message on one of its topics."}
          </li>
          <li>See on the page of the webhook whether it arrives.</li>
        </ol>
        <NextPages webhook={webhook} />
      </section>
    </Page>
  );
}

function NextPages({ webhook: { id } }: { webhook: CreatedWebhook }) {
  return (
    <div class="row">
      <a class="button primary" href={pathTo(`webhooks/${id}`)}>
        Open the webhook
      </a>
      <a class="button" href={pathTo("webhooks/new")}>
        Create another one
      </a>
    </div>
  );
}
