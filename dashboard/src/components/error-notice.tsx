import { isCausewayError } from "causeway-mqtt/client";

interface ErrorNoticeProps {
  error: Error;
  /** The call that failed, as in "The webhook was not saved". */
  title: string;
  onRetry?: () => void;
}

/** Says what failed, why, and with the code of the problem. */
export function ErrorNotice({ error, title, onRetry }: ErrorNoticeProps) {
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
        <div>
          <button type="button" class="button" onClick={onRetry}>
            Try again
          </button>
        </div>
      )}
    </div>
  );
}
