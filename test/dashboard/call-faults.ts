/** Replaces the response to the calls of a page: they wait, or are refused. */
import type { Page, Route } from "playwright-core";

export interface Refusal {
  status: number;
  code: string;
  detail: string;
  headers?: Record<string, string>;
}

export const REFUSALS = {
  store: { status: 503, code: "store_unavailable", detail: "The store does not respond." },
  right: { status: 403, code: "forbidden", detail: "The API key lacks the scope that this call needs." },
  record: { status: 404, code: "not_found", detail: "There is no such record." },
  rate: {
    ...{ status: 429, code: "rate_limited", detail: "The API key has no calls left in this second." },
    headers: { "retry-after": "60" },
  },
  fault: { status: 500, code: "internal_error", detail: "The bridge failed; its log says why." },
} satisfies Record<string, Refusal>;

/** Calls of pages, except the one that says who is signed in: without it no page is shown. */
const CALLS = /\/(?:v1\/(?!session$)|readyz)/;

/** The response of a bridge that refuses a call. */
export function problemOf({ status, code, detail, headers }: Refusal) {
  const body = JSON.stringify({ type: `urn:causeway:problem:${code}`, title: code, status, detail, code });
  return { status, contentType: "application/problem+json", body, ...(headers && { headers }) };
}

export interface CallFaults {
  /** Lets the calls through from now on; calls that wait end without a response. */
  pass(): Promise<void>;
  /** Lets calls wait from now on. */
  hold(): void;
  refuse(refusal: Refusal): void;
}

/** Stands between a page and the bridge. One route for all faults: removing it would let waiting calls through. */
export async function interceptCalls(page: Page): Promise<CallFaults> {
  let fault: "hold" | Refusal | undefined;
  const waiting: Route[] = [];
  await page.route(CALLS, async (route) => {
    if (fault === undefined) return route.fallback();
    if (fault === "hold") return void waiting.push(route);
    await route.fulfill(problemOf(fault));
  });
  return {
    async pass() {
      fault = undefined;
      // Calls of a page that was left are gone already.
      await Promise.all(waiting.splice(0).map((route) => route.abort().catch(() => undefined)));
    },
    hold() {
      fault = "hold";
    },
    refuse(refusal) {
      fault = refusal;
    },
  };
}
