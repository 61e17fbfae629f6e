import type { ComponentChildren } from "preact";
import { AskForm } from "./console/ask-form.tsx";
import { PublishForm } from "./console/publish-form.tsx";
import type { LiveQuery } from "./live-query.ts";
import { useLiveQuery } from "./use-live-query.ts";

type Name = LiveQuery["panel"];

const WORDS: Record<Name, string> = { message: "Message", publish: "Publish", ask: "Ask a device" };

interface PanelProps {
  /** The panels that the key may see. */
  panels: readonly Name[];
  /** Topics to choose from. */
  topics: readonly string[];
  /** The message, for its panel. */
  children?: ComponentChildren;
}

/** The selected message, or the form that publishes or asks. */
export function Panel({ panels, topics, children }: PanelProps) {
  const { query, addressOf } = useLiveQuery();
  const current = panels.includes(query.panel) ? query.panel : panels[0];
  return (
    <section class="section" aria-label="Message and console">
      {panels.length > 1 && (
        <nav class="tabs" aria-label="Message and console">
          {panels.map((panel) => (
            <a
              key={panel}
              href={addressOf({ panel, to: undefined })}
              aria-current={panel === current ? "page" : undefined}
            >
              {WORDS[panel]}
            </a>
          ))}
        </nav>
      )}
      {current === "message" && children}
      {current === "publish" && <PublishForm key={query.to} topic={query.to} topics={topics} />}
      {current === "ask" && <AskForm key={query.to} topic={query.to} topics={topics} />}
    </section>
  );
}
