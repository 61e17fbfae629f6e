import { useEffect, useState } from "preact/hooks";
import { ErrorNotice } from "../components/error-notice.tsx";
import { Field } from "../components/field.tsx";
import { causeway } from "../data/causeway.ts";

export function SignIn({ onSignedIn }: { onSignedIn: () => void }) {
  const [key, setKey] = useState("");
  const [error, setError] = useState<Error>();
  const [isRunning, setRunning] = useState(false);
  useEffect(() => {
    document.title = "Sign in · Causeway";
  }, []);
  const submit = async (event: Event) => {
    event.preventDefault();
    setRunning(true);
    setError(undefined);
    try {
      await causeway.session.signIn(key.trim());
      // The browser keeps the cookie of the session, and the key nowhere.
      setKey("");
      onSignedIn();
    } catch (failure) {
      setError(failure as Error);
    }
    setRunning(false);
  };
  return (
    <main class="sign-in" id="main">
      <form class="panel section" onSubmit={submit}>
        <div class="row">
          <img src="icon.svg" width="28" height="28" alt="" />
          <h1>Causeway</h1>
        </div>
        <Field
          label="API key"
          hint={
            <>
              The bridge prints the first key when it starts, and keeps it in <code>api-key</code> in its data folder.
              The key is sent once and not kept in the browser.
            </>
          }
        >
          {(props) => (
            <input
              {...props}
              type="password"
              autocomplete="current-password"
              required
              value={key}
              onInput={({ currentTarget }) => setKey(currentTarget.value)}
            />
          )}
        </Field>
        {error && <ErrorNotice error={error} title="Not signed in" />}
        <button type="submit" class="button primary" disabled={isRunning || key.trim() === ""}>
          {isRunning ? "Signing in" : "Sign in"}
        </button>
      </form>
    </main>
  );
}
