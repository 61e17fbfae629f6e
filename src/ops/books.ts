/** The books: both ledgers of all instances that share the store. */
import type { Ledger } from "../store/store.ts";
import type { MessageTotals } from "../uplink/receive/message-ledger.ts";

export interface Books {
  messages: MessageTotals;
  deliveries: Ledger;
}

export interface LedgerPorts {
  messages: { read(): Promise<MessageTotals> };
  deliveries: { total(): Promise<Ledger> };
}

/** Rejects when the store is unavailable. */
export async function readBooks(ledgers: LedgerPorts): Promise<Books> {
  const [messages, deliveries] = await Promise.all([ledgers.messages.read(), ledgers.deliveries.total()]);
  return { messages, deliveries };
}
