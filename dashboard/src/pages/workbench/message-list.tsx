import { useEffect, useState } from "preact/hooks";
import { ErrorNotice } from "../../components/error-notice.tsx";
import { Field } from "../../components/field.tsx";
import { StateMark } from "../../components/state-mark.tsx";
import { Time } from "../../components/time.tsx";
import { pathTo } from "../../data/address.ts";
import { countOf } from "../../data/format.ts";
import { outcomeMark } from "../webhooks/messages/request-view.tsx";
import { excerptOf, type Sample } from "../webhooks/messages/sample.ts";
import type { Bench } from "./use-bench.ts";

const TYPING_MS = 500;

/** The real messages, each with what becomes of it. */
export function MessageList({ bench }: { bench: Bench }) {
  const { samples, tried, topics } = bench;
  const unreadable = samples.items.filter(({ isUnreadable }) => isUnreadable).length;
  return (
    <section class="section" aria-labelledby="messages-title">
      <h2 id="messages-title">Messages</h2>
      <TopicField bench={bench} />
      {samples.error && <ErrorNotice error={samples.error} title="The messages could not be read" />}
      {samples.newer > 0 && (
        <div>
          <button type="button" class="button" onClick={samples.take}>
            Take {countOf(samples.newer, "new message")}
          </button>
        </div>
      )}
      {tried.length > 0 ? (
        <ul class="workbench-messages" aria-label="Messages">
          {tried.map((sample) => (
            <Row bench={bench} sample={sample} key={sample.id} />
          ))}
        </ul>
      ) : samples.isLoading ? (
        <div class="skeleton" role="status" aria-label="Loading" />
      ) : samples.error ? null : (
        <div class="empty">
          No message on {topics.join(", ")} yet.
          <a class="button" href={pathTo("live", { topic: topics[0] })}>
            Publish one
          </a>
        </div>
      )}
      {unreadable > 0 && (
        <p class="small quiet">
          {countOf(unreadable, "message")} left out: no longer kept, or not readable by this key.
        </p>
      )}
    </section>
  );
}

function TopicField({ bench }: { bench: Bench }) {
  const { topic, topics, setTopic, preview } = bench;
  const [typed, setTyped] = useState(topic);
  useEffect(() => {
    if (typed === topic) return;
    const timer = setTimeout(() => setTopic(typed), TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  return (
    <Field label="Topic filter" error={preview.errors["topics[0]"]}>
      {(props) => (
        <input
          {...props}
          class="mono"
          spellcheck={false}
          autocomplete="off"
          placeholder={topics.join(", ")}
          value={typed}
          onInput={({ currentTarget }) => setTyped(currentTarget.value)}
        />
      )}
    </Field>
  );
}

function Row({ bench, sample }: { bench: Bench; sample: Sample }) {
  const result = bench.resultOf(sample);
  return (
    <li>
      <button type="button" data-row aria-pressed={sample === bench.selected} onClick={() => bench.select(sample.id)}>
        <span class="line">
          <span class="mono ellipsis">{sample.topic}</span>
          {result ? <StateMark {...outcomeMark(result)} /> : <span class="quiet">–</span>}
        </span>
        <span class="line small quiet">
          <span class="mono ellipsis">{excerptOf(sample)}</span>
          <Time at={sample.at} />
        </span>
      </button>
    </li>
  );
}
