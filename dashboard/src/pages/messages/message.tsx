import { isCausewayError } from "causeway-mqtt/client";
import { useState } from "preact/hooks";
import { useRoute } from "preact-iso";
import { ListLink } from "../../components/list-link.tsx";
import { Loaded } from "../../components/loaded.tsx";
import { Page } from "../../components/page.tsx";
import { pathTo } from "../../data/address.ts";
import { isUtc, now } from "../../data/clock.ts";
import { EVERY, useData } from "../../data/query.ts";
import { useRights } from "../../data/session.tsx";
import { useWebhooks, type Webhooks } from "../../data/webhook-names.ts";
import { FindById } from "../deliveries/filter-bar.tsx";
import { PublishedMessage, RequestToDevice } from "./outgoing.tsx";
import { readSubject, type Subject } from "./read.ts";
import { ReceivedMessage } from "./received.tsx";
import { exactClock, isUnfinished, publishedLead, receivedLead, requestLead } from "./timeline.ts";
import "../deliveries/deliveries.css";
import "./messages.css";

/** Follows one message, in either direction, or one request. */
export default function MessagePage() {
  const id = decodeURIComponent(useRoute().params.id ?? "");
  // A key of its own, so that nothing of the message before is shown.
  return <Followed id={id} key={id} />;
}

function Followed({ id }: { id: string }) {
  const { can } = useRights();
  const [isOpen, setOpen] = useState(true);
  const subject = useData(
    ["messages", id],
    (options) => readSubject(id, options),
    isOpen ? { everyMs: EVERY.second } : {},
  );
  const isStillOpen = subject.data ? isUnfinished(stateOf(subject.data)) : !subject.error;
  if (isStillOpen !== isOpen) setOpen(isStillOpen);
  const isMissing = isCausewayError(subject.error, "not_found");
  const title = id.startsWith("req_") ? "Request" : "Message";
  return (
    <Page
      title={title}
      lead={isMissing ? "There is nothing with this id." : subject.data && leadOf(subject.data)}
      actions={<FindById />}
    >
      {isMissing ? (
        <Missing id={id} />
      ) : (
        <Loaded
          of={subject}
          failure={`The ${title.toLowerCase()} could not be read`}
          list={can("webhooks", "view") && <ListLink to="deliveries" />}
        >
          {(data) => (can("webhooks", "view") ? <WithNames subject={data} /> : <Content subject={data} />)}
        </Loaded>
      )}
    </Page>
  );
}

function stateOf(subject: Subject) {
  return subject.kind === "request" ? subject.request : subject.message;
}

function leadOf(subject: Subject): string {
  const clock = (at: string) => exactClock(at, now.value, isUtc.value);
  if (subject.kind === "request") return requestLead(subject.request, clock);
  if (subject.kind === "published") return publishedLead(subject.message, clock);
  return receivedLead(subject.message, subject.details, clock);
}

/** Only keys that may see webhooks read their names. */
function WithNames({ subject }: { subject: Subject }) {
  return <Content subject={subject} webhooks={useWebhooks()} />;
}

const NO_WEBHOOKS: Webhooks = { all: [], isCut: false, get: () => undefined, name: (id) => id };

function Content({ subject, webhooks = NO_WEBHOOKS }: { subject: Subject; webhooks?: Webhooks }) {
  if (subject.kind === "request") return <RequestToDevice request={subject.request} raw={subject.raw} />;
  if (subject.kind === "published") return <PublishedMessage message={subject.message} />;
  return <ReceivedMessage message={subject.message} details={subject.details} webhooks={webhooks} />;
}

function Missing({ id }: { id: string }) {
  const { can } = useRights();
  return (
    <div class="empty">
      <p>
        <code>{id}</code> is unknown here, is no longer kept, or is not visible to this key.
      </p>
      <ul class="retention">
        <li>Received messages are found as long as one of their deliveries is kept.</li>
        <li>
          Each webhook keeps its last 1,000 succeeded deliveries for one day and its last 10,000 dead letters for 14
          days.
        </li>
        <li>Published messages and requests are kept for one day after they end, the last 10,000 of each.</li>
        <li>Messages that matched no webhook, and messages published at once, are not kept.</li>
      </ul>
      {can("webhooks", "view") && (
        <a class="button" href={pathTo("deliveries")}>
          Show deliveries
        </a>
      )}
    </div>
  );
}
