import { after, before, describe } from "node:test";
import type { Store } from "../../src/store/store.ts";
import { booksContract } from "./store-books.contract.ts";
import { claimsContract } from "./store-claims.contract.ts";
import { countersContract } from "./store-counters.contract.ts";
import { incomingContract } from "./store-incoming.contract.ts";
import { jobControlContract } from "./store-job-control.contract.ts";
import { leasesContract } from "./store-leases.contract.ts";
import { queuesContract } from "./store-queues.contract.ts";
import { recordsContract } from "./store-records.contract.ts";

export interface OpenedStore {
  store: Store;
  /** Closes the store and removes what it stands on. */
  cleanup(): Promise<void>;
}

export interface StoreContractOptions {
  /** Why the whole suite is skipped. */
  skip?: string | false;
  /** A second handle on the same data, as another instance would have; without it the same one is used. */
  another?: () => Promise<{ store: Store; close(): Promise<void> }>;
}

/** What the parts of the suite are given: the stores exist only once the tests run. */
export interface Subject {
  store(): Store;
  other(): Store;
}

/** Everything the rest of Causeway takes for granted of a store, run by each adapter. */
export function storeContract(
  name: string,
  open: () => Promise<OpenedStore>,
  options: StoreContractOptions = {},
): void {
  describe(`store contract: ${name}`, { skip: options.skip ?? false }, () => {
    let opened: OpenedStore;
    let second: { store: Store; close(): Promise<void> } | undefined;
    before(async () => {
      opened = await open();
      second = await options.another?.();
    });
    after(async () => {
      await second?.close();
      await opened?.cleanup();
    });

    const subject: Subject = { store: () => opened.store, other: () => second?.store ?? opened.store };
    recordsContract(subject);
    claimsContract(subject);
    countersContract(subject);
    booksContract(subject);
    incomingContract(subject);
    leasesContract(subject);
    queuesContract(subject);
    jobControlContract(subject);
  });
}
