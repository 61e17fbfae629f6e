import { useEffect, useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import { Choices } from "../../components/choices.tsx";
import { Field } from "../../components/field.tsx";
import { pathTo } from "../../data/address.ts";
import { isUtc } from "../../data/clock.ts";
import { nameOf } from "../../data/states.ts";
import type { Webhooks } from "../../data/webhook-names.ts";
import {
  addressQuery,
  type Filters,
  fromInput,
  pageOfId,
  RANGE_WORDS,
  STATUSES,
  toInput,
  topicError,
} from "./filters.ts";

interface FilterBarProps {
  filters: Filters;
  webhooks: Webhooks;
  onChange: (change: Partial<Filters>) => void;
}

/** Status, webhook, topic and time, all of them in the address. */
export function FilterBar({ filters, webhooks, onChange }: FilterBarProps) {
  const { webhookId, range } = filters;
  return (
    <>
      <nav class="tabs" aria-label="Status">
        {STATUSES.map(([status, word]) => (
          <a
            key={status}
            href={pathTo("deliveries", addressQuery({ ...filters, status }))}
            aria-current={filters.status === status ? "page" : undefined}
          >
            {word}
          </a>
        ))}
      </nav>
      <div class="filter-bar">
        <Field label="Webhook">
          {(props) => (
            <select {...props} value={webhookId} onChange={(e) => onChange({ webhookId: e.currentTarget.value })}>
              <option value="">All webhooks</option>
              {webhookId !== "" && !webhooks.get(webhookId) && <option value={webhookId}>{webhookId}</option>}
              {webhooks.all.map((webhook) => (
                <option value={webhook.id} key={webhook.id}>
                  {nameOf(webhook)}
                </option>
              ))}
            </select>
          )}
        </Field>
        <TopicField topic={filters.topic} onChange={(topic) => onChange({ topic })} />
        <div class="field">
          <span class="label">Received</span>
          <div>
            <Choices
              label="Received in the last"
              value={range}
              options={RANGE_WORDS}
              onChange={(to) => onChange({ range: to })}
            />
          </div>
        </div>
        {range === "custom" && <CustomRange filters={filters} onChange={onChange} />}
      </div>
    </>
  );
}

function TopicField({ topic, onChange }: { topic: string; onChange: (topic: string) => void }) {
  const [typed, setTyped] = useState(topic);
  useEffect(() => setTyped(topic), [topic]);
  const error = topicError(typed);
  const commit = () => !error && typed !== topic && onChange(typed);
  return (
    <Field label="Topic filter" error={error}>
      {(props) => (
        <input
          {...props}
          type="search"
          class="mono"
          placeholder="devices/+/telemetry"
          value={typed}
          onInput={({ currentTarget }) => setTyped(currentTarget.value)}
          onBlur={commit}
          onKeyDown={({ key }) => key === "Enter" && commit()}
        />
      )}
    </Field>
  );
}

function CustomRange({ filters: { since, until }, onChange }: Pick<FilterBarProps, "filters" | "onChange">) {
  const zone = isUtc.value ? " (UTC)" : "";
  return (
    <>
      {(["since", "until"] as const).map((side) => (
        <Field key={side} label={(side === "since" ? "From" : "Before") + zone}>
          {(props) => (
            <input
              {...props}
              type="datetime-local"
              value={toInput(side === "since" ? since : until, isUtc.value)}
              onChange={({ currentTarget }) => onChange({ [side]: fromInput(currentTarget.value, isUtc.value) })}
            />
          )}
        </Field>
      ))}
    </>
  );
}

/** Goes to the message, request or webhook with an id. */
export function FindById() {
  const { route } = useLocation();
  const [id, setId] = useState("");
  const [isWrong, setWrong] = useState(false);
  const find = (event: Event) => {
    event.preventDefault();
    const page = pageOfId(id.trim());
    if (page) route(pathTo(page));
    setWrong(!page);
  };
  return (
    <form class="find" onSubmit={find}>
      <div class="row">
        <input
          type="search"
          class="mono"
          data-search
          aria-label="Find by id"
          placeholder="msg_… or req_…"
          aria-invalid={isWrong ? "true" : undefined}
          value={id}
          onInput={({ currentTarget }) => {
            setId(currentTarget.value);
            setWrong(false);
          }}
        />
        <button type="submit" class="button">
          Find
        </button>
      </div>
      {isWrong && (
        <div class="small error" role="alert">
          An id begins with msg_, req_ or wh_.
        </div>
      )}
    </form>
  );
}
