/** The registrations: in the store for ever, in memory for every message. */

import { type Log, View } from "../store/record-cache.ts";
import type { Records } from "../store/store.ts";
import type { Webhook } from "./webhook.ts";

export class WebhookRegistry extends View<Webhook> {
  constructor(records: Records<Webhook>, log: Log) {
    super(records, log, "webhook");
  }
}
