/** The registrations: in the store for ever, in memory for every message. */

import { type Log, RecordCache } from "../store/record-cache.ts";
import type { Records } from "../store/store.ts";
import type { Webhook } from "./webhook.ts";

export class WebhookRegistry extends RecordCache<Webhook> {
  constructor(records: Records<Webhook>, log: Log) {
    super(records, log, "webhook");
  }
}
