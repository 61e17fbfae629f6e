import { useLocation } from "preact-iso";
import { AxisNote } from "../../components/axis-note.tsx";
import { Chart } from "../../components/chart.tsx";
import { Choices } from "../../components/choices.tsx";
import { Loaded } from "../../components/loaded.tsx";
import { pathTo } from "../../data/address.ts";
import { formatCount } from "../../data/format.ts";
import { fromFirst } from "../../data/points.ts";
import { useRights } from "../../data/session.tsx";
import { completePoints, isEmpty, RANGES, type Range, rangeOf, STEPS } from "./traffic.ts";
import { useMetrics } from "./use-status.ts";

/**
 * Messages in, deliveries out and failed, over a range that is in the address.
 *
 * @param isBusy whether messages arrive, so that the first figures are about to be stored
 */
export function TrafficChart({ isBusy }: { isBusy: boolean }) {
  const { query, route } = useLocation();
  const range = rangeOf(query.range);
  const metrics = useMetrics(range);
  const choose = (next: Range) => route(pathTo("", { range: next === "1h" ? undefined : next }), true);
  return (
    <section class="section traffic" aria-label="Traffic">
      <Choices
        label="Range of the chart"
        value={range}
        options={RANGES.map((one) => [one, STEPS[one].word] as const)}
        onChange={choose}
      />
      <Loaded of={metrics} failure="The metrics could not be read">
        {(data) => {
          if (isEmpty(data)) return isBusy ? <Soon /> : <NoTraffic range={range} />;
          const points = fromFirst(completePoints(data.points));
          const isMessages = points.some(({ received }) => received !== undefined);
          return (
            <>
              <Chart
                title={`${isMessages ? "Messages in, deliveries" : "Deliveries in,"} out and failed per ${STEPS[range].per}`}
                times={points.map(({ at }) => Date.parse(at))}
                format={formatCount}
                series={[
                  {
                    name: "In",
                    colour: "--live",
                    values: points.map(({ received, enqueued }) => received ?? enqueued),
                  },
                  { name: "Out", colour: "--delivered", values: points.map(({ succeeded }) => succeeded) },
                  { name: "Failed", colour: "--failed", values: points.map(({ failed }) => failed) },
                ]}
              />
              <AxisNote all={data.points} shown={points} />
            </>
          );
        }}
      </Loaded>
    </section>
  );
}

function Soon() {
  return (
    <div class="empty">
      <p>No figures yet. They are stored every ten seconds.</p>
    </div>
  );
}

const WORDS: Record<Range, string> = { "1h": "hour", "24h": "24 hours", "30d": "30 days" };

function NoTraffic({ range }: { range: Range }) {
  const { can } = useRights();
  return (
    <div class="empty">
      <p>No message in the last {WORDS[range]}.</p>
      {can("publish") ? (
        <a class="button" href={pathTo("live")}>
          Publish a message
        </a>
      ) : (
        <p>
          A device publishes one with <code>mosquitto_pub -t demo/hello -m hi</code>.
        </p>
      )}
    </div>
  );
}
