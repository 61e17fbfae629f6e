/** Reading from the API: cached by key, repeated while a page shows it, and kept when a later read fails. */
import { QueryCache, QueryClient, type QueryKey, useInfiniteQuery, useQuery } from "@tanstack/preact-query";
import { type CallOptions, isCausewayError, type Page } from "causeway-mqtt/client";
import { intervalAfter } from "./recovery.ts";
import { SESSION } from "./session-key.ts";

/** Intervals of reading again, in milliseconds. */
export const EVERY = { second: 2_000, few: 5_000, slow: 30_000 } as const;

export function createQueryClient(): QueryClient {
  const client: QueryClient = new QueryClient({
    queryCache: new QueryCache({
      // The session ended, here or elsewhere: ask for the rights again, which shows the page of signing in.
      onError: (error, query) => {
        if (isCausewayError(error) && error.status === 401 && query.queryKey[0] !== SESSION[0])
          void client.invalidateQueries({ queryKey: SESSION });
      },
    }),
    defaultOptions: {
      queries: { retry: false, staleTime: 1_000, gcTime: 60_000, refetchOnWindowFocus: true, networkMode: "always" },
    },
  });
  return client;
}

export interface Data<T> {
  data: T | undefined;
  /** Why the last read failed. With `data`, that is what an earlier read returned. */
  error: Error | null;
  isLoading: boolean;
  /** When `data` was read, in milliseconds since the epoch. */
  readAt: number;
  refetch(): void;
}

/**
 * Reads from the API.
 * @param key the place in the cache: the resource, then what distinguishes the call
 * @param everyMs interval of reading again while the page is visible
 */
export function useData<T>(
  key: QueryKey,
  read: (options: CallOptions) => Promise<T>,
  { everyMs, enabled = true }: { everyMs?: number; enabled?: boolean } = {},
): Data<T> {
  const { data, error, isLoading, dataUpdatedAt, refetch } = useQuery({
    queryKey: key,
    queryFn: ({ signal }) => read({ signal }),
    enabled,
    refetchInterval: intervalOf(everyMs),
  });
  return { data, error, isLoading, readAt: dataUpdatedAt, refetch: () => void refetch() };
}

function intervalOf(everyMs: number | undefined) {
  return ({ state: { error } }: { state: { error: Error | null } }) => intervalAfter(error, everyMs);
}

export interface ListData<T> extends Omit<Data<T>, "data"> {
  items: T[] | undefined;
  hasMore: boolean;
  isLoadingMore: boolean;
  loadMore(): void;
}

/**
 * Reads a list page by page.
 * @param read returns the page after a cursor
 */
export function useList<T>(
  key: QueryKey,
  read: (after: string | undefined, options: CallOptions) => Promise<Page<T>>,
  { everyMs, enabled = true }: { everyMs?: number; enabled?: boolean } = {},
): ListData<T> {
  const result = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam, signal }) => read(pageParam, { signal }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: Page<T>) => page.nextCursor ?? undefined,
    enabled,
    refetchInterval: intervalOf(everyMs),
  });
  return {
    items: result.data?.pages.flatMap(({ items }) => items),
    error: result.error,
    isLoading: result.isLoading,
    readAt: result.dataUpdatedAt,
    refetch: () => void result.refetch(),
    hasMore: result.hasNextPage,
    isLoadingMore: result.isFetchingNextPage,
    loadMore: () => void result.fetchNextPage(),
  };
}
