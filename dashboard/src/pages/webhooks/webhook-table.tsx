import type { Webhook } from "causeway-mqtt/client";
import { useMemo } from "preact/hooks";
import { isLong, LongRows } from "../../components/long-rows.tsx";
import { useRights } from "../../data/session.tsx";
import { useDayFigures } from "./day-figures.ts";
import { type DayFigures, inOrderOf, type ListQuery, type Sort, sortedBy } from "./list-query.ts";
import { WebhookRow } from "./webhook-row.tsx";

interface TableProps {
  webhooks: readonly Webhook[];
  query: ListQuery;
  onSort: (query: ListQuery) => void;
}

const NONE: ReadonlyMap<string, DayFigures> = new Map();

export function WebhookTable({ webhooks, query, onSort }: TableProps) {
  const { can } = useRights();
  const seesFigures = can("view", "admin");
  const figures = useDayFigures();
  const { sort, isReversed } = query;
  const rows = useMemo(
    () => inOrderOf(webhooks, { sort, isReversed }, figures ?? NONE),
    [webhooks, sort, isReversed, figures],
  );
  const head = (by: Sort, word: string, isNumber = false, title?: string) => (
    <SortHead by={by} word={word} isNumber={isNumber} title={title} query={query} onSort={onSort} />
  );
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
    <section class="table-wrap webhook-table" tabIndex={0} aria-label="Webhooks">
      <table
        class={`table ${isLong(rows.length) ? "long" : ""}`}
        aria-rowcount={isLong(rows.length) ? rows.length + 1 : undefined}
      >
        <thead>
          <tr>
            {head("state", "State")}
            {head("name", "Name")}
            <th scope="col">Filters</th>
            <th scope="col">Last 24 h</th>
            {seesFigures ? (
              <>
                {head("success", "Success", true, "Attempts of the last 24 h that succeeded")}
                {head("p99", "p99", true, "99 % of the attempts of the last 24 h were faster")}
              </>
            ) : (
              <th scope="col" class="number">
                Success
              </th>
            )}
            {head("waiting", "Waiting", true, "Deliveries that are pending, active or retrying")}
          </tr>
        </thead>
        <LongRows
          count={rows.length}
          columns={seesFigures ? 7 : 6}
          row={(i, ariaIndex) => {
            const webhook = rows[i]!;
            return (
              <WebhookRow
                key={webhook.id}
                webhook={webhook}
                ariaIndex={ariaIndex}
                figures={figures?.get(webhook.id)}
                hasFigures={figures !== undefined}
                seesFigures={seesFigures}
              />
            );
          }}
        />
      </table>
    </section>
  );
}

interface SortHeadProps {
  by: Sort;
  word: string;
  isNumber: boolean;
  title: string | undefined;
  query: ListQuery;
  onSort: (query: ListQuery) => void;
}

/** Directions that the columns begin with. */
const FIRST: Record<Sort, "ascending" | "descending"> = {
  state: "ascending",
  name: "ascending",
  success: "ascending",
  p99: "descending",
  waiting: "descending",
};

function SortHead({ by, word, isNumber, title, query, onSort }: SortHeadProps) {
  const isSorted = query.sort === by;
  const isAscending = (FIRST[by] === "ascending") !== query.isReversed;
  return (
    <th
      scope="col"
      class={isNumber ? "number" : undefined}
      aria-sort={isSorted ? (isAscending ? "ascending" : "descending") : undefined}
    >
      <button type="button" class="sort" title={title} onClick={() => onSort(sortedBy(query, by))}>
        <span>{word}</span>
        <span aria-hidden="true">{isSorted ? (isAscending ? "↑" : "↓") : ""}</span>
      </button>
    </th>
  );
}
