import type { CreatedKey } from "causeway-mqtt/client";
import { Copy } from "../../components/copy.tsx";
import { curlLine } from "./key-form.ts";

/** The new key, which is shown this once. */
export function CreatedKeyView({ created }: { created: CreatedKey }) {
  const command = curlLine(new URL(".", document.baseURI).href, created.key, created);
  return (
    <div class="section">
      <p>This is the only time that the key is shown: the bridge keeps a hash of it.</p>
      <section class="section" aria-label="The key">
        <pre class="once">{created.key}</pre>
        <div>
          <Copy text={created.key} label="Copy the key" />
        </div>
      </section>
      <section class="section" aria-label="Try it">
        <h3>Try it</h3>
        <pre class="once">{command}</pre>
        <div>
          <Copy text={command} label="Copy the command" />
        </div>
      </section>
    </div>
  );
}
