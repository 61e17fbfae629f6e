/** `causeway mcp`: tools for assistants, on standard input and output. */
import type { Command } from "commander";
import { versionOf } from "../program-version.ts";
import type { Runtime } from "../runtime.ts";
import { addExamples } from "../settings/options.ts";

export function addMcp(program: Command, runtime: Runtime): void {
  const command = program
    .command("mcp")
    .summary("serve tools for AI assistants")
    .description(
      "Serves tools over the Model Context Protocol (MCP) on standard input and output, for an assistant that starts " +
        "this command. The tools only read, and only what the key may see. See docs/mcp.md.",
    )
    .option("--allow-write", "also tools that publish, and create, change and repeat things")
    .action(async ({ allowWrite = false }: { allowWrite?: boolean }, self: Command) => {
      const causeway = await runtime.client(self);
      // Standard output belongs to the protocol.
      runtime
        .output(self)
        .note(`tools of ${runtime.target(self).url}, ${allowWrite ? "with" : "without"} write access`);
      // Large, and no other command needs it.
      const { serveTools } = await import("../mcp/server.ts");
      await serveTools({ causeway, version: versionOf(), allowWrite });
    });
  addExamples(command, "causeway mcp --profile viewer", "causeway mcp --allow-write");
}
