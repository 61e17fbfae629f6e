/** Messages and requests to devices: published messages, and requests with their responses. */
import { useQueryClient } from "@tanstack/preact-query";
import type { RequestState } from "causeway-mqtt/client";
import { useState } from "preact/hooks";
import { Confirm } from "../../components/dialog.tsx";
import { PayloadView } from "../../components/payload.tsx";
import { causeway } from "../../data/causeway.ts";
import { useRights } from "../../data/session.tsx";
import { Steps } from "./steps.tsx";
import { isUnfinished, type Published, publishedSteps, requestSteps } from "./timeline.ts";

export function PublishedMessage({ message }: { message: Published }) {
  const { id, topic, qos, retain } = message;
  const { can } = useRights();
  return (
    <>
      <section class="section">
        <h2>Time line</h2>
        <Steps steps={publishedSteps(message)} />
      </section>
      <dl class="facts">
        <dt>Topic</dt>
        <dd class="mono">{topic}</dd>
        <dt>QoS</dt>
        <dd>
          {qos}
          {retain && ", retained"}
        </dd>
        <dt>Id</dt>
        <dd class="mono">{id}</dd>
      </dl>
      {can("publish") && isUnfinished(message) && (
        <Cancel word="message" onCancel={() => causeway.messages.cancel(id)}>
          The message to {topic} will not be published.
        </Cancel>
      )}
    </>
  );
}

/** @param raw the payload of the response as the device sent it, if it is JSON */
export function RequestToDevice({ request, raw }: { request: RequestState; raw: string | undefined }) {
  const { id, topic, response } = request;
  const { can } = useRights();
  return (
    <>
      <section class="section">
        <h2>Time line</h2>
        <Steps steps={requestSteps(request)} />
      </section>
      {response && (
        <section class="section">
          <h2>Response</h2>
          <PayloadView text={textOf(response.payload, raw)} base64={response.payloadBase64} name={id} />
        </section>
      )}
      <dl class="facts">
        <dt>Topic</dt>
        <dd class="mono">{topic}</dd>
        {response?.status && (
          <>
            <dt>Status of the device</dt>
            <dd>{response.status}</dd>
          </>
        )}
        {response?.contentType && (
          <>
            <dt>Content type</dt>
            <dd class="mono">{response.contentType}</dd>
          </>
        )}
        <dt>Id</dt>
        <dd class="mono">{id}</dd>
      </dl>
      {can("publish") && isUnfinished(request) && (
        <Cancel word="request" onCancel={() => causeway.requests.cancel(id)}>
          The bridge no longer waits for the response. A device that has the request may still act on it.
        </Cancel>
      )}
    </>
  );
}

/** Text is a string in the response of the API, and JSON stands there as the device sent it. */
function textOf(payload: unknown, raw: string | undefined): string | undefined {
  return typeof payload === "string" ? payload : raw;
}

interface CancelProps {
  word: string;
  onCancel: () => Promise<void>;
  children: preact.ComponentChildren;
}

function Cancel({ word, onCancel, children }: CancelProps) {
  const client = useQueryClient();
  const [isOpen, setOpen] = useState(false);
  return (
    <div>
      <button type="button" class="button danger" onClick={() => setOpen(true)}>
        Cancel the {word}
      </button>
      {isOpen && (
        <Confirm
          title={`Cancel the ${word}`}
          action={`Cancel the ${word}`}
          onConfirm={async () => {
            await onCancel();
            await client.invalidateQueries({ queryKey: ["messages"] });
          }}
          onClose={() => setOpen(false)}
        >
          {children}
        </Confirm>
      )}
    </div>
  );
}
