import type { Webhook } from "causeway-mqtt/client";
import { Copy } from "../../../components/copy.tsx";
import { pullCommands } from "./pull-command.ts";

/** How a consumer takes the deliveries of a pull webhook. */
export function HowToPull({ webhook }: { webhook: Webhook }) {
  const { curl, listen } = pullCommands(new URL(".", document.baseURI).href, webhook);
  return (
    <section class="section" aria-labelledby="pull-title">
      <h2 id="pull-title">Take the messages</h2>
      <p class="quiet">
        A consumer takes messages and acknowledges each one. A message that is not acknowledged in time comes again.
      </p>
      <div class="section request">
        <pre>{curl}</pre>
        <div>
          <Copy text={curl} label="Copy the calls" />
        </div>
      </div>
      {webhook.topics.length > 0 && (
        <div class="section request">
          <p class="quiet">
            This command shows the same topics in a terminal, or forwards them to a program there. It makes a pull
            webhook of its own.
          </p>
          <pre>{listen}</pre>
          <div>
            <Copy text={listen} label="Copy the command" />
          </div>
        </div>
      )}
    </section>
  );
}
