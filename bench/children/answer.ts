/** The child side of `startModule(…).ask`: calls the function named by the question and sends back its result. */
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
  // The parent has exited.
  process.on("disconnect", () => process.exit(0));
  process.on("SIGTERM", () => process.exit(0));
}

/** An environment variable set by the parent. */
export function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}
