/** The other end of `startModule(…).ask`: each question of the parent is answered by the function of that name. */
type Answer = (content: Record<string, unknown>) => unknown;

export function answer(answers: Record<string, Answer>): void {
  process.on("message", async ({ id, question, content }: { id: number; question: string; content: object }) => {
    try {
      const found = answers[question];
      if (!found) throw new Error(`nobody answers ${question}`);
      process.send?.({ id, answer: (await found(content as Record<string, unknown>)) ?? null });
    } catch (error) {
      process.send?.({ id, error: (error as Error).message });
    }
  });
  // The parent is gone, and with it the reason to live.
  process.on("disconnect", () => process.exit(0));
  process.on("SIGTERM", () => process.exit(0));
}

/** A setting the parent gave. */
export function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}
