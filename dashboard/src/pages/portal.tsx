import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ErrorNotice } from "../components/error-notice.tsx";
import { causeway } from "../data/causeway.ts";
import { portalToken } from "../data/portal.ts";

/** Signs in by the portal link that opened the page, if one did, and then shows what is below. */
export function PortalGate({ children }: { children: ComponentChildren }) {
  const [state, setState] = useState<"open" | "signing in" | Error>(portalToken() === "" ? "open" : "signing in");
  useEffect(() => {
    if (state !== "signing in") return;
    // Sent by the page, not by opening the link: previews of links must not use it up.
    causeway.session.signInByPortal(portalToken()).then(() => setState("open"), setState);
  }, [state]);
  if (state === "open") return <>{children}</>;
  if (state === "signing in") return <main class="main" id="main" aria-busy="true" />;
  return (
    <main class="sign-in" id="main">
      <div class="panel section">
        <h1>Causeway</h1>
        <ErrorNotice error={state} title="The link does not open" />
        <p class="quiet">A link works once and for a limited time. Open a new one from where you found it.</p>
        <button type="button" class="button" onClick={() => setState("open")}>
          Sign in with a key
        </button>
      </div>
    </main>
  );
}
