/** The pages and what surrounds them. */
import { QueryClientProvider } from "@tanstack/preact-query";
import { ErrorBoundary, LocationProvider, lazy, Route, Router } from "preact-iso";
import { Navigation } from "./components/navigation.tsx";
import { Shortcuts } from "./components/shortcuts.tsx";
import { Toasts } from "./components/toasts.tsx";
import { pathTo } from "./data/address.ts";
import { createQueryClient } from "./data/query.ts";
import { SessionGate } from "./data/session.tsx";
import { NotFound } from "./pages/not-found.tsx";
import { PortalGate } from "./pages/portal.tsx";

// Each page is loaded when it is first opened.
const Overview = lazy(() => import("./pages/overview/overview.tsx"));
const Webhooks = lazy(() => import("./pages/webhooks/webhooks.tsx"));
const NewWebhook = lazy(() => import("./pages/webhooks/new-webhook.tsx"));
const EditWebhook = lazy(() => import("./pages/webhooks/edit-webhook.tsx"));
const WebhookPage = lazy(() => import("./pages/webhooks/webhook.tsx"));
const Workbench = lazy(() => import("./pages/workbench/workbench.tsx"));
const Deliveries = lazy(() => import("./pages/deliveries/deliveries.tsx"));
const MessagePage = lazy(() => import("./pages/messages/message.tsx"));
const Live = lazy(() => import("./pages/live/live.tsx"));
const Keys = lazy(() => import("./pages/keys/keys.tsx"));
const Settings = lazy(() => import("./pages/settings/settings.tsx"));

const client = createQueryClient();

export function App() {
  return (
    <LocationProvider>
      <QueryClientProvider client={client}>
        <ErrorBoundary>
          <PortalGate>
            <SessionGate>
              <div class="shell">
                <button type="button" class="button skip" onClick={() => document.getElementById("main")?.focus()}>
                  Skip to the content
                </button>
                <Navigation />
                <main class="main" id="main" tabIndex={-1}>
                  <Router>
                    <Route path={pathTo("")} component={Overview} />
                    <Route path={pathTo("webhooks")} component={Webhooks} />
                    <Route path={pathTo("webhooks/new")} component={NewWebhook} />
                    <Route path={pathTo("webhooks/:id/edit")} component={EditWebhook} />
                    <Route path={pathTo("webhooks/:id")} component={WebhookPage} />
                    <Route path={pathTo("workbench")} component={Workbench} />
                    <Route path={pathTo("deliveries")} component={Deliveries} />
                    <Route path={pathTo("messages/:id")} component={MessagePage} />
                    <Route path={pathTo("live")} component={Live} />
                    <Route path={pathTo("keys")} component={Keys} />
                    <Route path={pathTo("settings")} component={Settings} />
                    <Route default component={NotFound} />
                  </Router>
                </main>
              </div>
              <Shortcuts />
            </SessionGate>
          </PortalGate>
          <Toasts />
        </ErrorBoundary>
      </QueryClientProvider>
    </LocationProvider>
  );
}
