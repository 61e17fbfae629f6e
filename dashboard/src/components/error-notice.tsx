import { isCausewayError } from "causeway-mqtt/client";
import type { ComponentChildren } from "preact";

interface ErrorNoticeProps {
  error: Error;
  /** The call that failed, as in "The webhook was not saved". */
  title: string;
  onRetry?: () => void;
  /** Another way on, beside trying again. */
  beside?: ComponentChildren;
}

/** Says what failed, why, and with the code of the problem. */
export function ErrorNotice({ error, title, onRetry, beside }: ErrorNoticeProps) {
  const problem = isCausewayError(error) ? error : undefined;
  return (
    <div class="notice failed" role="alert">
      <strong>{title}</strong>
      <span>{problem ? problem.detail : "The bridge cannot be reached."}</span>
      {problem && problem.errors.length > 0 && (
        <ul>
          {problem.errors.map(({ path, message }) => (
            <li key={path}>
              <code>{path}</code> {message}
            </li>
          ))}
        </ul>
      )}
      {problem?.code && <small class="quiet">code {problem.code}</small>}
      {onRetry && (
        <div class="row">
          <button type="button" class="button" onClick={onRetry}>
            Try again
          </button>
          {beside}
        </div>
      )}
    </div>
  );
}
