/** How full a store is: the memory of Redis, or the disk of the embedded store. */
export interface StoreCapacity {
  usedBytes: number;
  /** Null: no limit is set. */
  maximumBytes: number | null;
  /** The version of the server; null for the embedded store. */
  version: string | null;
}
