/** Single keys on a terminal. */

/**
 * Calls the handler of each key until the returned function is called. Ctrl-C counts as `q`. Ctrl-Z suspends the
 * program, as it does without single keys.
 */
export function onKeys(stdin: NodeJS.ReadStream, handlers: Record<string, () => void>): () => void {
  const suspend = () => {
    stdin.setRawMode(false);
    // The whole job, as the terminal does it: the program may have been started by another one.
    process.kill(0, "SIGTSTP");
  };
  // A shell sets its own mode while the program is suspended.
  const onContinue = () => {
    stdin.setRawMode(false);
    stdin.setRawMode(true);
  };
  const keys = { ...handlers, "\x03": handlers.q, "\x1a": suspend } as Record<string, (() => void) | undefined>;
  const onData = (data: Buffer) => {
    for (const key of data.toString()) keys[key.toLowerCase()]?.();
  };
  stdin.setRawMode(true);
  stdin.resume();
  stdin.on("data", onData);
  process.on("SIGCONT", onContinue);
  return () => {
    process.off("SIGCONT", onContinue);
    stdin.off("data", onData);
    stdin.setRawMode(false);
    stdin.pause();
  };
}
