import type { ComponentChildren } from "preact";
import type { Data } from "../data/query.ts";
import { ErrorNotice } from "./error-notice.tsx";
import { StaleNotice } from "./page.tsx";

interface LoadedProps<T> {
  of: Pick<Data<T>, "data" | "error" | "readAt" | "refetch">;
  /** For the notice of a failure, as in "The webhooks could not be read". */
  failure: string;
  /** The link to the list of a record, for one that is not there. */
  list?: ComponentChildren;
  children: (data: T) => ComponentChildren;
}

/** Shows data, a skeleton before the first read, an error without data, and old data with its age. */
export function Loaded<T>({ of: { data, error, readAt, refetch }, failure, list, children }: LoadedProps<T>) {
  if (data === undefined) {
    if (error) return <ErrorNotice error={error} title={failure} onRetry={refetch} beside={list} />;
    return <div class="skeleton" role="status" aria-label="Loading" />;
  }
  return (
    <>
      <StaleNotice error={error} readAt={readAt} />
      {children(data)}
    </>
  );
}
