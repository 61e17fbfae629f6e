import type { Status } from "causeway-mqtt/client";
import { StateMark } from "../../components/state-mark.tsx";
import { Time } from "../../components/time.tsx";
import { countOf, formatCount } from "../../data/format.ts";
import { bookLines } from "./ledger.ts";
import { brokerName, brokerOf, receiverOf, type SessionStatus, storeName, storeOf } from "./status.ts";

export function BrokerPanel({ status }: { status: Status }) {
  const broker = brokerOf(status);
  const { holder, here, sessions } = receiverOf(status);
  return (
    <section class="panel section" aria-label="Broker">
      <h2>Broker</h2>
      <dl class="facts">
        <dt>Connection</dt>
        <dd>{broker ? <Connection broker={broker} /> : "None: this process has neither role api nor uplink"}</dd>
        {broker && brokerName(broker) && (
          <>
            <dt>Address</dt>
            <dd class="mono">{brokerName(broker)}</dd>
          </>
        )}
        <dt>Receiver</dt>
        <dd>
          {holder ? (
            <>
              <span class="mono">{holder}</span>
              {here && <span class="quiet"> (this instance)</span>}
            </>
          ) : (
            <StateMark tone="failed" word="No instance receives" />
          )}
        </dd>
        {sessions.map((session) => (
          <Session session={session} key={session.clientId} />
        ))}
      </dl>
    </section>
  );
}

function Connection({ broker: { connected, protocol, error } }: { broker: NonNullable<ReturnType<typeof brokerOf>> }) {
  if (!connected) return <StateMark tone="failed" word={`Not connected${error ? `: ${error}` : ""}`} />;
  return <StateMark tone="delivered" word={`Connected${protocol ? `, MQTT ${protocol}` : ""}`} />;
}

function Session({ session: { clientId, wanted, granted, refused, pending } }: { session: SessionStatus }) {
  return (
    <>
      <dt>Session</dt>
      <dd>
        <span class="mono">{clientId}</span>
        <div class="quiet">
          {formatCount(granted)} of {countOf(wanted, "filter")} subscribed, {formatCount(pending)} messages
          unacknowledged
        </div>
        {refused.map(({ filter, reason }) => (
          <div key={filter}>
            <StateMark tone="failed" word="Refused" /> <code>{filter}</code>: {reason}
          </div>
        ))}
      </dd>
    </>
  );
}

export function StorePanel({ status }: { status: Status }) {
  const store = storeOf(status);
  const { instance, roles, startedAt, version } = status;
  return (
    <section class="panel section" aria-label="Store and instance">
      <h2>Store and instance</h2>
      <dl class="facts">
        <dt>Store</dt>
        <dd>{storeName(store)}</dd>
        <dt>Instance</dt>
        <dd class="mono">{instance}</dd>
        <dt>Roles</dt>
        <dd>{roles?.join(", ")}</dd>
        <dt>Version</dt>
        <dd>
          {version}
          {startedAt && (
            <span class="quiet">
              , started <Time at={startedAt} />
            </span>
          )}
        </dd>
      </dl>
      <Warnings warnings={store.warnings ?? []} />
    </section>
  );
}

export function Warnings({ warnings }: { warnings: readonly string[] }) {
  if (warnings.length === 0) return null;
  return (
    <div class="notice retrying">
      <strong>{countOf(warnings.length, "warning")}</strong>
      <ul>
        {warnings.map((warning) => (
          <li key={warning}>{warning}</li>
        ))}
      </ul>
    </div>
  );
}

/** Only for keys that may see all messages. */
export function BooksPanel({ status: { books } }: { status: Status }) {
  if (books === undefined) return null;
  if (books === null) {
    return (
      <section class="panel section" aria-label="Books">
        <h2>Books</h2>
        <p>The store does not respond, so the books cannot be read.</p>
      </section>
    );
  }
  const lines = bookLines(books);
  return (
    <section class="panel section" aria-label="Books">
      <div class="section-head">
        <h2>Books</h2>
        {lines.every(({ missing }) => missing === 0) ? (
          <StateMark tone="delivered" word="Both lines close" />
        ) : (
          <StateMark tone="failed" word="The books do not close" />
        )}
      </div>
      {lines.map(({ text, missing }) => (
        <p key={text}>
          {text}
          {missing !== 0 && <strong class="state failed"> ({formatCount(Math.abs(missing))} unaccounted for)</strong>}
        </p>
      ))}
      <p class="small quiet">Since the store was created, over all instances.</p>
    </section>
  );
}
