import { useQueryClient } from "@tanstack/preact-query";
import { failedAttempts } from "causeway-mqtt/client";
import { useState } from "preact/hooks";
import { StateMark } from "../../components/state-mark.tsx";
import { Time } from "../../components/time.tsx";
import { toast } from "../../components/toasts.tsx";
import { pathTo } from "../../data/address.ts";
import { causeway } from "../../data/causeway.ts";
import { now } from "../../data/clock.ts";
import { formatCount } from "../../data/format.ts";
import { useData } from "../../data/query.ts";
import { type Scope, useRights } from "../../data/session.tsx";
import { lastCause } from "../webhooks/detail/summary.ts";
import type { Act, Attention } from "./attention.ts";

/** More rows would hide the figures; the page of the webhooks has all. */
const SHOWN = 10;

export function AttentionList({ items }: { items: readonly Attention[] }) {
  if (items.length === 0) return null;
  return (
    <section class="section" aria-label="Needs attention">
      <h2>Needs attention</h2>
      <ul class="attention">
        {items
          .slice(0, SHOWN)
          .map((item) =>
            item.id.startsWith("failing-") ? (
              <FailingRow item={item} key={item.id} />
            ) : (
              <Row item={item} key={item.id} />
            ),
          )}
      </ul>
      {items.length > SHOWN && (
        <p>
          <a href={pathTo("webhooks", { state: "failing" })}>{formatCount(items.length - SHOWN)} more</a>
        </p>
      )}
    </section>
  );
}

/** A failing webhook, with the cause. */
function FailingRow({ item }: { item: Attention }) {
  const id = item.webhookId!;
  const { since } = item;
  const { data } = useData(
    ["deliveries", id, "failure"],
    (options) => failedAttempts(causeway, { id, failingSince: since ?? null }, options),
    { everyMs: 10_000 },
  );
  const cause = lastCause(data ?? []);
  const why = cause ? item.why.replace("every attempt fails", cause) : item.why;
  return <Row item={{ ...item, why }} />;
}

function Row({ item }: { item: Attention }) {
  const { tone, state, what, why, since, next, nextAt, act, webhookId } = item;
  return (
    <li>
      <StateMark tone={tone} word={state} />
      <div class="what">
        <strong>
          {webhookId ? (
            <a href={pathTo(`webhooks/${webhookId}`)} data-row>
              {what}
            </a>
          ) : (
            what
          )}
        </strong>
        <div>
          {since && (
            <>
              Since <Time at={since} exact />:{" "}
            </>
          )}
          {why}. <span class="quiet">{nextAt ? <NextTry at={Date.parse(nextAt)} /> : next}</span>
        </div>
      </div>
      {act && <ActButton act={act} what={what} />}
    </li>
  );
}

const SCOPES: Record<string, Scope[]> = { deliveries: ["view", "webhooks"], settings: ["view", "admin"] };

/** One action. Acts that the key may not do are left out. */
function ActButton({ act, what }: { act: Act; what: string }) {
  const { can } = useRights();
  const client = useQueryClient();
  const [isRunning, setRunning] = useState(false);
  if (act.kind === "open") {
    if (!can(...(SCOPES[act.page] ?? ["view", "webhooks"]))) return null;
    return (
      <a class="button" href={pathTo(act.page, act.query)}>
        {act.word}
        <span class="visually-hidden"> of {what}</span>
      </a>
    );
  }
  if (!can("webhooks")) return null;
  const run = async () => {
    setRunning(true);
    try {
      if (act.kind === "resume") await causeway.webhooks.resume(act.webhookId);
      else await causeway.webhooks.update(act.webhookId, { verify: true });
      toast(act.kind === "resume" ? `${what} is resumed` : `The receiver of ${what} is asked again`);
      await client.invalidateQueries({ queryKey: ["webhooks"] });
    } catch (error) {
      toast(`${what} was not changed: ${(error as Error).message}`, "failed");
    }
    setRunning(false);
  };
  return (
    <button type="button" class="button" onClick={() => void run()} disabled={isRunning}>
      {act.word}
      <span class="visually-hidden"> {what}</span>
    </button>
  );
}

/** A try that is due waits for a delivery, or is under way. */
function NextTry({ at }: { at: number }) {
  if (at - now.value < 1_000) return <>Next try now.</>;
  return (
    <>
      Next try <Time at={at} />.
    </>
  );
}
