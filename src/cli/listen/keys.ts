/** Single keys on a terminal. */

/** Calls the handler of each key until the returned function is called. Ctrl-C counts as `q`. */
export function onKeys(stdin: NodeJS.ReadStream, handlers: Record<string, () => void>): () => void {
  const onData = (data: Buffer) => {
    for (const key of data.toString()) handlers[key === "\x03" ? "q" : key.toLowerCase()]?.();
  };
  stdin.setRawMode(true);
  stdin.resume();
  stdin.on("data", onData);
  return () => {
    stdin.off("data", onData);
    stdin.setRawMode(false);
    stdin.pause();
  };
}
