/** Webhooks that do not deliver, and why. */
import type { Causeway } from "../causeway.ts";
import { isCausewayError } from "../errors.ts";
import type { Delivery, Webhook } from "../types.ts";
import { failedAttempts } from "./failed-attempts.ts";
import { type Finding, failed, ok, skipped, warning } from "./finding.ts";

/** Remedies by the error of an attempt, with the names of the API. */
const ADVICE: Record<string, string> = {
  dns_error: "Check the host name in the URL, and the DNS of the bridge's machine.",
  connection_refused: "Start the receiver, or correct the port in the URL.",
  connection_reset: "The receiver closes the connection: look at its log, and at the proxy before it.",
  connect_timeout: "A firewall drops the packets, or the address is wrong.",
  timeout: "Let the receiver respond first and work afterwards, or raise timeoutMs.",
  tls_error: "Renew the receiver's certificate, or set ca to the authority that signed it.",
  network_error: "Check the route from the bridge's machine to the receiver.",
  redirect: "Redirects are not followed: set the URL to the final address.",
  http_error: "Look at the receiver's log for this status.",
  blocked_address: "Use a public address, or open the network with WEBHOOK_ALLOW_NETWORKS.",
  auth_error: "Check auth: the token endpoint gives no token.",
  filter_error: "Correct filter; causeway webhooks preview shows its error.",
  transform_error: "Correct transform; causeway webhooks preview shows its error.",
  url_error: "Correct the template in url: the topic lacks a level that it names.",
  not_accepted: "The receiver names these events as failed in its response to the batch.",
};

export async function checkWebhooks(causeway: Causeway): Promise<Finding[]> {
  const findings: Finding[] = [];
  let count = 0;
  try {
    for await (const webhook of causeway.webhooks.list({ limit: 250 })) {
      count++;
      findings.push(...(await checkWebhook(causeway, webhook)));
    }
  } catch (error) {
    if (isCausewayError(error, "insufficient_scope"))
      return [skipped("webhooks", "the key lacks the scopes webhooks and view")];
    const reason = isCausewayError(error) ? `${error.code}: ${error.detail}` : (error as Error).message;
    return [failed("webhooks", reason, "See the log of the bridge.")];
  }
  return findings.length > 0
    ? findings
    : [ok("webhooks", count === 0 ? "none is registered" : `none of ${count} fails`)];
}

async function checkWebhook(causeway: Causeway, webhook: Webhook): Promise<Finding[]> {
  const { id, name, url, state, counts, refusedTopics = [] } = webhook;
  const check = `webhook ${name ?? id}`;
  const findings = refusedTopics.map(({ topic, reason }) =>
    failed(
      check,
      `${topic} is not received: ${reason}`,
      "Allow the bridge's account at the broker to subscribe to it.",
    ),
  );
  if (state === "disabled") {
    const why = webhook.disabled?.reason ?? "it was disabled";
    return [...findings, failed(check, `${url}: ${why}`, `Mend the receiver, then: causeway webhooks resume ${id}`)];
  }
  if (state === "paused") {
    const isPending = webhook.verification?.state === "pending";
    const why = isPending ? "the receiver has not confirmed its ownership" : "paused";
    const advice = isPending ? "See docs/security.md." : `To deliver: causeway webhooks resume ${id}`;
    return [...findings, warning(check, `${why}, deliveries waiting: ${counts.pending + counts.retrying}`, advice)];
  }
  if (state === "failing" || counts.retrying > 0) {
    const late = await failedAttempts(causeway, webhook);
    const { detail, advice } = explain(late.find(({ lastAttempt }) => lastAttempt));
    const add = state === "failing" ? failed : warning;
    return [
      ...findings,
      add(check, `${url}: ${detail}, deliveries waiting: ${counts.pending + counts.retrying}`, advice),
    ];
  }
  if (counts.failed > 0) {
    const { items } = await causeway.deliveries.listOf(id, { status: "failed", limit: 1 }).page();
    const { detail } = explain(items[0]);
    const advice = `Mend the cause, then: causeway deliveries replay ${id}`;
    findings.push(warning(check, `deliveries given up: ${counts.failed}, the last one with ${detail}`, advice));
  }
  return findings;
}

function explain(delivery: Delivery | undefined): { detail: string; advice: string } {
  const attempt = delivery?.lastAttempt;
  const error = attempt?.error;
  if (!attempt || !error) return { detail: "failing", advice: "See the log of the bridge." };
  const status = attempt.statusCode === null ? "" : ` ${attempt.statusCode}`;
  const more = attempt.detail === undefined ? "" : ` (${attempt.detail})`;
  return { detail: `${error}${status}${more}`, advice: ADVICE[error] ?? "See the log of the bridge." };
}
