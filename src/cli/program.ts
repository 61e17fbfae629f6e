/** The tree of the commands. */
import { Command } from "commander";
import { addApply } from "./commands/apply.ts";
import { addCompletion } from "./commands/completion.ts";
import { addDeliveries } from "./commands/deliveries.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addExport } from "./commands/export.ts";
import { addHooks } from "./commands/hooks.ts";
import { addKeys } from "./commands/keys.ts";
import { addListen } from "./commands/listen.ts";
import { addMcp } from "./commands/mcp.ts";
import { addPublish } from "./commands/publish.ts";
import { addRequest } from "./commands/request.ts";
import { addSimulate } from "./commands/simulate.ts";
import { addStart } from "./commands/start.ts";
import { addTail } from "./commands/tail.ts";
import { addWebhooks } from "./commands/webhooks.ts";
import { versionOf } from "./program-version.ts";
import type { Runtime } from "./runtime.ts";

const AFTER = `
The bridge and the key come from the flags, else from CAUSEWAY_URL and
CAUSEWAY_API_KEY, else from a profile in $XDG_CONFIG_HOME/causeway/config.yaml,
else from the bridge on this machine: http://127.0.0.1:8080, DATA_DIR/api-key.

Exit codes: 0 done, 1 the answer is no, 2 usage, 3 refused by the API,
4 not reachable, 5 not authorized.`;

export function createProgram(runtime: Runtime): Command {
  const program = new Command("causeway")
    .description("The Causeway bridge between MQTT and HTTP, from the command line.")
    .version(versionOf())
    .option("--json", "print JSON: one document, or one line for each item of lists and streams")
    .option("--bridge <url>", "address of the bridge")
    .option("--api-key <key>", "API key; other users of this machine can see it in the list of processes")
    .option("--profile <name>", "profile in config.yaml (default: default)")
    .addHelpText("after", AFTER)
    .configureHelp({ showGlobalOptions: true })
    // cli.ts reports errors, in JSON too.
    .configureOutput({ outputError: () => undefined })
    .exitOverride();
  for (const add of [
    addStart,
    addPublish,
    addRequest,
    addTail,
    addListen,
    addWebhooks,
    addDeliveries,
    addHooks,
    addKeys,
    addApply,
    addExport,
    addDoctor,
    addSimulate,
    addMcp,
    addCompletion,
  ]) {
    add(program, runtime);
  }
  return program;
}
