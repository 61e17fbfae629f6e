/** The registrations: persistent in the store, and cached in memory for routing. */

import { type CacheLog, RecordCache } from "../store/record-cache.ts";
import type { Records } from "../store/store.ts";
import type { Webhook } from "./webhook.ts";

export class WebhookRegistry extends RecordCache<Webhook> {
  constructor(records: Records<Webhook>, log: CacheLog) {
    super(records, log, "webhook");
  }
}
