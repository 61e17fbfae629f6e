/** The signed-in key and its rights. */
import { type QueryClient, useQuery, useQueryClient } from "@tanstack/preact-query";
import { type CallerRights, isCausewayError } from "causeway-mqtt/client";
import { type ComponentChildren, createContext } from "preact";
import { useContext, useEffect } from "preact/hooks";
import { ErrorNotice } from "../components/error-notice.tsx";
import { SignIn } from "../pages/sign-in.tsx";
import { accentOf } from "./accent.ts";
import { causeway } from "./causeway.ts";
import { SESSION } from "./session-key.ts";

export type Scope = CallerRights["scopes"][number];

const Rights = createContext<CallerRights | undefined>(undefined);

/** The rights of the signed-in key. Only below {@link SessionGate}. */
export function useRights(): CallerRights & {
  can(...scopes: Scope[]): boolean;
  /** Whether the key may read every topic, and so sees every webhook and message. */
  seesAll: boolean;
} {
  const rights = useContext(Rights)!;
  return {
    ...rights,
    can: (...scopes) => scopes.some((scope) => rights.scopes.includes(scope)),
    seesAll: rights.read.includes("#"),
  };
}

/** Shows the page of signing in until there is a session; the address stays, so that deep links survive it. */
export function SessionGate({ children }: { children: ComponentChildren }) {
  const client = useQueryClient();
  const { data, error, refetch } = useQuery({
    queryKey: SESSION,
    queryFn: ({ signal }) => causeway.session.get({ signal }),
    staleTime: 60_000,
    refetchInterval: 60_000,
  });
  const accent = data?.branding?.accent ?? undefined;
  useEffect(() => showAccent(accent), [accent]);
  if (isCausewayError(error) && error.status === 401) {
    return (
      <SignIn
        onSignedIn={() => {
          removeOthers(client);
          void refetch();
        }}
      />
    );
  }
  if (data) return <Rights.Provider value={data}>{children}</Rights.Provider>;
  if (error) {
    return (
      <main class="main" id="main">
        <ErrorNotice error={error} title="The bridge does not respond" onRetry={() => void refetch()} />
      </main>
    );
  }
  return <main class="main" id="main" aria-busy="true" />;
}

/** @param colour undefined: the dashboard's own */
function showAccent(colour: string | undefined): void {
  const { style } = document.documentElement;
  for (const [name, value] of Object.entries(accentOf(colour ?? "#000000"))) {
    if (colour === undefined) style.removeProperty(name);
    else style.setProperty(name, value);
  }
}

/** Forgets what another key has read. */
function removeOthers(client: QueryClient): void {
  client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== SESSION[0] });
}

/** Returns the function that signs out on every page of this browser. */
export function useSignOut(): () => Promise<void> {
  const client = useQueryClient();
  return async () => {
    await causeway.session.signOut();
    removeOthers(client);
    await client.resetQueries({ queryKey: SESSION });
  };
}
