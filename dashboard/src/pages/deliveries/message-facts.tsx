import type { DeliveryDetail } from "causeway-mqtt/client";
import { Copy } from "../../components/copy.tsx";
import { PayloadView } from "../../components/payload.tsx";

type Message = DeliveryDetail["message"];

/** The payload of a received message, or why it is not shown. */
export function MessagePayload({ message, id }: { message: Message; id: string }) {
  if (message.payload === undefined && message.payloadBase64 === undefined) {
    return <p class="quiet">This key may not read the topic, and so not the payload.</p>;
  }
  return <PayloadView text={message.payload} base64={message.payloadBase64} name={id} />;
}

/** Rows for a list of facts: topic and MQTT properties. */
export function MessageFacts({ message }: { message: Message }) {
  const { topic, qos, retain, contentType, responseTopic, correlationData, userProperties = {} } = message;
  const traceId = traceIdOf(message);
  return (
    <>
      <dt>Topic</dt>
      <dd class="mono">{topic}</dd>
      <dt>QoS</dt>
      <dd>
        {qos}
        {retain && ", retained"}
      </dd>
      {contentType && <Fact name="Content type" value={contentType} />}
      {responseTopic && <Fact name="Response topic" value={responseTopic} />}
      {correlationData && <Fact name="Correlation data" value={correlationData} />}
      {Object.entries(userProperties).map(([name, value]) => (
        <Fact key={name} name={name} value={Array.isArray(value) ? value.join(", ") : String(value)} />
      ))}
      {traceId && (
        <>
          <dt>Trace</dt>
          <dd class="row">
            <code>{traceId}</code>
            <Copy text={traceId} label="Copy trace id" />
          </dd>
        </>
      )}
    </>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <>
      <dt>{name}</dt>
      <dd class="mono">{value}</dd>
    </>
  );
}

/** The trace of W3C Trace Context that the message belongs to. */
function traceIdOf({ userProperties }: Message): string | undefined {
  const header = [userProperties?.traceparent].flat()[0];
  return /^[\da-f]{2}-([\da-f]{32})-/.exec(String(header ?? ""))?.[1];
}
