import type { Status } from "causeway-mqtt/client";
import { formatCount } from "../../data/format.ts";
import { formatPace } from "./lead.ts";
import { type LiveRates, useMetrics } from "./use-status.ts";

/** Rates of the last seconds, and totals since the store was created. */
export function Figures({ status, rates }: { status: Status; rates: LiveRates | undefined }) {
  const { data: hour } = useMetrics("1h");
  const { books } = status;
  const retriedInHour = hour?.points.reduce((sum, { retried }) => sum + retried, 0);
  const total = (count: number | undefined) => count !== undefined && `${formatCount(count)} in total`;
  return (
    <section class="section" aria-label="Live figures">
      <dl class="figures live-figures">
        <Figure
          word={rates?.isMessages === false ? "Enqueued" : "Received"}
          rate={rates?.received}
          below={total(books?.messages.received)}
        />
        <Figure word="Delivered" rate={rates?.delivered} below={total(books?.deliveries.succeeded)} />
        <Figure
          word="Retried"
          rate={rates?.retried}
          below={retriedInHour !== undefined && `${formatCount(retriedInHour)} in the last hour`}
        />
        <Figure word="Failed" rate={rates?.failed} below={total(books?.deliveries.failed)} />
        {books && (
          <div>
            <dt class="quiet">Waiting</dt>
            <dd class="value">{formatCount(books.deliveries.waiting)}</dd>
            <dd class="small quiet">deliveries now</dd>
          </div>
        )}
      </dl>
      {rates?.isMinute && <p class="small quiet">Rates of the last full minute.</p>}
    </section>
  );
}

function Figure({ word, rate, below }: { word: string; rate: number | undefined; below: string | false }) {
  return (
    <div>
      <dt class="quiet">{word}</dt>
      <dd class="value">{rate === undefined ? "–" : formatPace(rate)}</dd>
      {below && <dd class="small quiet">{below}</dd>}
    </div>
  );
}
