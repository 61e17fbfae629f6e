/** Ends the connection of a client that Aedes passed to the persistence; in some places it passes only the id. */
export function disconnect(client: { id: string }, error: unknown): void {
  (client as { emit?(event: "error", error: unknown): void }).emit?.("error", error);
}
