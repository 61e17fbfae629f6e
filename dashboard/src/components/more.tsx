import type { ListData } from "../data/query.ts";

/** The button that loads the next page of a list. */
export function More({ list }: { list: Pick<ListData<unknown>, "hasMore" | "isLoadingMore" | "loadMore"> }) {
  if (!list.hasMore) return null;
  return (
    <div>
      <button type="button" class="button" onClick={list.loadMore} disabled={list.isLoadingMore}>
        {list.isLoadingMore ? "Loading" : "Load more"}
      </button>
    </div>
  );
}
