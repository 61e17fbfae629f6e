import { pathTo } from "../../data/address.ts";
import { useRights } from "../../data/session.tsx";

/** Says what a webhook is, while there is none. */
export function NoWebhooks() {
  const { can } = useRights();
  return (
    <div class="empty">
      <p>A webhook sends the messages of some topics to a URL, and repeats until the receiver accepts them.</p>
      {can("webhooks") ? (
        <a class="button primary" href={pathTo("webhooks/new")}>
          New webhook
        </a>
      ) : (
        <p>
          A key with the scope <code>webhooks</code> creates the first one.
        </p>
      )}
    </div>
  );
}
