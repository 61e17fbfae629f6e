#!/usr/bin/env node
/** The program `causeway`: runs one command and ends with its exit code. */
import { EXIT, exitCodeOf, report } from "./failures.ts";
import { createProgram } from "./program.ts";
import { Runtime } from "./runtime.ts";

// The reader has gone, as in `causeway tail '#' | head -1`: there is nothing left to do.
process.stdout.on("error", (error: NodeJS.ErrnoException) =>
  process.exit(error.code === "EPIPE" ? EXIT.done : EXIT.defect),
);

const runtime = new Runtime(process.env);

try {
  await createProgram(runtime).parseAsync();
} catch (error) {
  report(error, { isJson: process.argv.includes("--json"), stderr: process.stderr });
  runtime.exitCode = exitCodeOf(error);
}
// `start` goes on in this process: its signals decide about the end.
if (!runtime.isBridge) {
  // On Windows a pipe is written in the background.
  await new Promise<void>((resolve) => process.stdout.write("", () => resolve()));
  process.exit(runtime.exitCode);
}
