/** The commands as the completion scripts see them. */
import type { Command } from "commander";

export interface Word {
  text: string;
  description: string;
}

export interface CompletionOption extends Word {
  takesValue: boolean;
  takesFile: boolean;
  choices: readonly string[];
}

/** One command. Its path is `""` for the program, and `/webhooks/list` for a subcommand. */
export interface CompletionNode {
  path: string;
  /** Subcommands, or the choices of the first argument. */
  words: Word[];
  options: CompletionOption[];
}

const HELP: CompletionOption = {
  text: "--help",
  description: "display help",
  takesValue: false,
  takesFile: false,
  choices: [],
};

export function completionNodes(program: Command, path = "", inherited: CompletionOption[] = [HELP]): CompletionNode[] {
  const own = program.options
    .filter(({ long }) => long !== undefined && long !== "--version")
    .map(({ long, description, required, optional, argChoices }) => ({
      text: long!,
      description: firstPart(description),
      takesValue: required || optional,
      takesFile: long === "--file",
      choices: argChoices ?? [],
    }));
  const options = [...own, ...inherited];
  const commands = program.commands.map((command) => ({
    text: command.name(),
    description: firstPart(command.summary() || command.description()),
  }));
  const choices = program.registeredArguments[0]?.argChoices ?? [];
  const words = [...commands, ...choices.map((text) => ({ text, description: "" }))];
  return [
    { path, words, options },
    ...program.commands.flatMap((command) =>
      completionNodes(command, `${path}/${command.name()}`, path === "" ? options : inherited),
    ),
  ];
}

/** The text before the first semicolon, parenthesis or full stop. */
function firstPart(description: string): string {
  return description.split(/; | \(|\.$|\. /)[0]!;
}

/** The options that take a value, each once. */
export function valueOptions(
  nodes: readonly CompletionNode[],
  isWanted: (option: CompletionOption) => boolean,
): string[] {
  const found = nodes.flatMap(({ options }) => options.filter((each) => each.takesValue && isWanted(each)));
  return [...new Set(found.map(({ text }) => text))];
}
