/**
 * `causeway start`: this process becomes the bridge. A child process could have the flag of `npm start`, but would get
 * each signal twice where a supervisor signals the whole group, and the second one ends the bridge at once.
 */
import type { Command } from "commander";
import type { Runtime } from "../runtime.ts";
import { addExamples } from "../settings/options.ts";

export function addStart(program: Command, runtime: Runtime): void {
  const command = program
    .command("start")
    .summary("run the bridge")
    .description("Runs the bridge in the foreground, configured by the environment and a .env file, as npm start does.")
    .action(async () => {
      runtime.isBridge = true;
      await import("../../main.ts");
    });
  addExamples(
    command,
    "causeway start",
    "MQTT_URL=mqtts://broker.example.com STORE_URL=redis://127.0.0.1 causeway start",
  );
}
