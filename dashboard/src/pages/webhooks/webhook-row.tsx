import type { Webhook } from "causeway-mqtt/client";
import { memo } from "preact/compat";
import { StateMark } from "../../components/state-mark.tsx";
import { pathTo } from "../../data/address.ts";
import { formatCount, formatDuration, formatShare } from "../../data/format.ts";
import { nameOf, webhookMark } from "../../data/states.ts";
import { sumOf, useDaySeries } from "./day-figures.ts";
import { attemptsOf, type DayFigures } from "./list-query.ts";
import { Trend } from "./trend.tsx";

interface RowProps {
  webhook: Webhook;
  ariaIndex: number | undefined;
  figures: DayFigures | undefined;
  /** Whether the figures of all webhooks are known: one without figures had no delivery. */
  hasFigures: boolean;
  /** Whether the key may read the figures of all webhooks. */
  seesFigures: boolean;
}

/** A row is drawn anew only when its data changed. */
export const WebhookRow = memo(function WebhookRow({ webhook, ariaIndex, figures, hasFigures, seesFigures }: RowProps) {
  const { id, url, topics, counts, verification } = webhook;
  const mark =
    verification?.state === "pending" ? ({ tone: "paused", word: "Not verified" } as const) : webhookMark(webhook);
  const [topic, ...more] = topics;
  const host = url === undefined ? "pulled" : URL.canParse(url) ? new URL(url).host : url;
  const waiting = counts.pending + counts.active + counts.retrying;
  return (
    <tr aria-rowindex={ariaIndex}>
      <td>
        <StateMark {...mark} />
      </td>
      <td class="name">
        <a href={pathTo(`webhooks/${id}`)} data-row>
          {nameOf(webhook)}
        </a>
        {webhook.name && <span class="small quiet"> {host}</span>}
      </td>
      <td class="filters" title={topics.join("\n")}>
        {topic === undefined ? <span class="quiet">Events only</span> : <code>{topic}</code>}
        {more.length > 0 && <span class="small quiet"> and {formatCount(more.length)} more</span>}
      </td>
      <td>
        <Trend id={id} isIdle={hasFigures && figures === undefined} />
      </td>
      {seesFigures ? (
        <>
          <td class="number">{figures ? formatShare(...attemptsOf(figures)) : "–"}</td>
          <td class="number">{figures?.p99Ms == null ? "–" : formatDuration(figures.p99Ms)}</td>
        </>
      ) : (
        <td class="number">
          <SeriesShare id={id} />
        </td>
      )}
      <td class="number">{formatCount(waiting)}</td>
    </tr>
  );
});

/** For keys without the figures of all webhooks: from the series that the trend has read. */
function SeriesShare({ id }: { id: string }) {
  const points = useDaySeries(id, false);
  return <>{points ? formatShare(...attemptsOf({ ...sumOf(points), p99Ms: null })) : "–"}</>;
}
