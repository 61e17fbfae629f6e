/** The verdict of the SSRF guard on a webhook URL: the running bridge's own, otherwise that of the configuration here. */
import type { LookupAddress } from "node:dns";
import { lookup } from "node:dns/promises";
import { type Finding, failed, ok } from "../../client/doctor/finding.ts";
import { type Causeway, CausewayError } from "../../client/index.ts";
import type { Config } from "../../config/config.ts";
import { createAddressGuard } from "../../uplink/egress/ssrf-guard.ts";

const CHECK = "webhook URL";
const ADVICE = {
  blocked_address: "Use a public address, or open the network with WEBHOOK_ALLOW_NETWORKS of the bridge.",
  invalid_url: "Correct the URL.",
};
/** A preview needs a message; nothing is sent. */
const SAMPLE = { topic: "causeway/doctor" };

/** @param causeway absent: the bridge cannot be asked */
export async function checkWebhookUrl(url: string, causeway: Causeway | undefined, config: Config): Promise<Finding> {
  const asked = causeway && (await askBridge(url, causeway));
  if (asked) return asked;
  const guard = createAddressGuard({ allow: config.webhookAllowNetworks });
  const refusal = await guard.checkUrlResolved(url);
  if (refusal) return failed(CHECK, `${refusal.message} (the configuration here)`, ADVICE[refusal.code]);
  return ok(CHECK, `${await addressesOf(url)} is allowed by the configuration here`);
}

/** Returns undefined if the bridge gives no verdict, for instance because the key lacks the scope. */
async function askBridge(url: string, causeway: Causeway): Promise<Finding | undefined> {
  try {
    await causeway.webhooks.preview({ url, topics: [SAMPLE.topic] }, SAMPLE);
    return ok(CHECK, `${await addressesOf(url)} is allowed by the bridge`);
  } catch (error) {
    if (!(error instanceof CausewayError)) return undefined;
    const code = error.code;
    if (code !== "blocked_address" && code !== "invalid_url") return undefined;
    return failed(CHECK, error.detail.replace(/^webhook\.url: /, ""), ADVICE[code]);
  }
}

/** The host with the addresses that its name has here. */
async function addressesOf(url: string): Promise<string> {
  const { hostname } = new URL(url);
  const found: LookupAddress[] = await lookup(hostname.replace(/^\[|\]$/g, ""), { all: true }).catch(() => []);
  const addresses = found.map(({ address }) => address).filter((address) => !hostname.includes(address));
  if (found.length === 0) return `${hostname} (no address found from here)`;
  return addresses.length === 0 ? hostname : `${hostname} (${addresses.join(", ")})`;
}
