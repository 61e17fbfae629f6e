/** `causeway completion`: scripts for shells. */
import { Argument, type Command } from "commander";
import { SHELLS, type Shell, scripts } from "../completion/scripts.ts";
import { completionNodes } from "../completion/tree.ts";
import type { Runtime } from "../runtime.ts";
import { addExamples } from "../settings/options.ts";

export function addCompletion(program: Command, runtime: Runtime): void {
  const command = program
    .command("completion")
    .summary("print a completion script for a shell")
    .description("Prints a script that completes the commands and options of causeway in a shell.")
    .addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
    .action((shell: Shell, _options, self: Command) => {
      const script = scripts[shell](completionNodes(program));
      const output = runtime.output(self);
      if (output.isJson) output.document({ shell, script });
      else output.raw(script);
    });
  addExamples(
    command,
    "source <(causeway completion bash)",
    "source <(causeway completion zsh)",
    "causeway completion fish > ~/.config/fish/completions/causeway.fish",
    "causeway completion powershell | Out-String | Invoke-Expression",
  );
}
