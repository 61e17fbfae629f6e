/** The pages and what surrounds them. */
import { QueryClientProvider } from "@tanstack/preact-query";
import { useEffect } from "preact/hooks";
import { ErrorBoundary, LocationProvider, lazy, Route, Router, useLocation } from "preact-iso";
import { Navigation } from "./components/navigation.tsx";
import { PageBoundary } from "./components/page-boundary.tsx";
import { Shortcuts } from "./components/shortcuts.tsx";
import { Toasts } from "./components/toasts.tsx";
import { pathTo } from "./data/address.ts";
import { createQueryClient } from "./data/query.ts";
import { SessionGate } from "./data/session.tsx";
import { NotFound } from "./pages/not-found.tsx";
import { PortalGate } from "./pages/portal.tsx";

// The first page is loaded first, and the others once the browser is idle: they open also when the bridge is away.
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
const Hooks = lazy(() => import("./pages/hooks/hooks.tsx"));
const Settings = lazy(() => import("./pages/settings/settings.tsx"));

const client = createQueryClient();

export function App() {
  return (
    <LocationProvider>
      <QueryClientProvider client={client}>
        <ErrorBoundary>
          <PortalGate>
            <SessionGate>
              <Shell />
            </SessionGate>
          </PortalGate>
          <Toasts />
        </ErrorBoundary>
      </QueryClientProvider>
    </LocationProvider>
  );
}

const PAGES = [
  ...[Overview, Webhooks, NewWebhook, EditWebhook, WebhookPage, Workbench],
  ...[Deliveries, MessagePage, Live, Keys, Hooks, Settings],
];

/** How long the first page has the connection for itself. */
const FIRST_PAGE_MS = 1_000;

function Shell() {
  const { path } = useLocation();
  useEffect(() => {
    const timer = setTimeout(() => {
      // A page whose file did not come says so when it is opened, and offers to load everything again.
      for (const page of PAGES) page.preload().catch(() => undefined);
    }, FIRST_PAGE_MS);
    return () => clearTimeout(timer);
  }, []);
  return (
    <>
      <div class="shell">
        <button type="button" class="button skip" onClick={() => document.getElementById("main")?.focus()}>
          Skip to the content
        </button>
        <Navigation />
        <main class="main" id="main" tabIndex={-1}>
          <PageBoundary key={path}>
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
              <Route path={pathTo("hooks")} component={Hooks} />
              <Route path={pathTo("settings")} component={Settings} />
              <Route default component={NotFound} />
            </Router>
          </PageBoundary>
        </main>
      </div>
      <Shortcuts />
    </>
  );
}
