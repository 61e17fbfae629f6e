/** The surroundings of a command: its output, and the bridge it talks to. */
import type { Command } from "commander";
import { Causeway } from "../client/index.ts";
import { optimizeHttpParserLate } from "../lib/v8-flags.ts";
import { EXIT, type ExitCode, NoKeyError } from "./failures.ts";
import { Output } from "./output/output.ts";
import { type BridgeTarget, type Environment, findTarget } from "./settings/target.ts";

/** Options of every command. */
interface GlobalOptions {
  json?: true;
  bridge?: string;
  apiKey?: string;
  profile?: string;
}

export class Runtime {
  exitCode: ExitCode = EXIT.done;
  /** Whether this process has become the bridge. */
  isBridge = false;

  constructor(readonly env: Environment) {}

  output(command: Command): Output {
    const { json = false } = command.optsWithGlobals<GlobalOptions>();
    return new Output({ isJson: json, env: this.env, stdout: process.stdout, stderr: process.stderr });
  }

  target(command: Command): BridgeTarget {
    return findTarget(command.optsWithGlobals<GlobalOptions>(), this.env);
  }

  /** The client of the chosen bridge. */
  async client(command: Command): Promise<Causeway> {
    const { url, apiKey } = this.target(command);
    if (apiKey === undefined) {
      throw new NoKeyError(
        "no API key: pass --api-key, set CAUSEWAY_API_KEY, name a --profile, or run this where DATA_DIR is",
      );
    }
    // Its first use loads Node's modules of `fetch`: before the change of flags.
    void new Headers();
    optimizeHttpParserLate();
    return new Causeway({ url, apiKey });
  }
}
