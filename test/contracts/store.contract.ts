import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Store } from "../../src/store/store.ts";
import { booksContract } from "./store-books.contract.ts";
import { countersContract } from "./store-counters.contract.ts";
import { deliveryIndexContract } from "./store-delivery-index.contract.ts";
import { expiringKeysContract } from "./store-expiring-keys.contract.ts";
import { incomingContract } from "./store-incoming.contract.ts";
import { jobControlContract } from "./store-job-control.contract.ts";
import { leasesContract } from "./store-leases.contract.ts";
import { queuesContract } from "./store-queues.contract.ts";
import { recordsContract } from "./store-records.contract.ts";
import { seriesContract } from "./store-series.contract.ts";

export interface OpenedStore {
  store: Store;
  /** Closes the store and removes its data. */
  cleanup(): Promise<void>;
}

export interface StoreContractOptions {
  /** Reason to skip the whole suite. */
  skip?: string | false;
  /** Opens a second handle on the same data, as another instance would; absent: the same handle is used. */
  another?: () => Promise<{ store: Store; close(): Promise<void> }>;
}

/** Access to the stores for the parts of the suite: the stores exist only once the tests run. */
export interface Subject {
  store(): Store;
  other(): Store;
}

/** Store contract: all behaviour that Causeway relies on, run against each adapter. */
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
    it("says how full it is", async () => {
      const { usedBytes, maximumBytes } = await subject.store().capacity();
      assert.ok(
        usedBytes > 0 && usedBytes < (maximumBytes ?? Number.POSITIVE_INFINITY),
        `${usedBytes}, ${maximumBytes}`,
      );
    });
    recordsContract(subject);
    expiringKeysContract(subject);
    countersContract(subject);
    booksContract(subject);
    deliveryIndexContract(subject);
    incomingContract(subject);
    seriesContract(subject);
    leasesContract(subject);
    queuesContract(subject);
    jobControlContract(subject);
  });
}
