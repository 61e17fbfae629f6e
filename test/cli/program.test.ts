/** The tree of the commands: help with examples, and completion data. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Command } from "commander";
import { completionNodes } from "../../src/cli/completion/tree.ts";
import { createProgram } from "../../src/cli/program.ts";
import { Runtime } from "../../src/cli/runtime.ts";

const program = createProgram(new Runtime({}));

function leaves(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
}

function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
  });
  command.outputHelp();
  return text;
}

describe("help", () => {
  it("lists the commands that the contract names", () => {
    const names = program.commands.map((command) => command.name());
    const wanted = [
      "start",
      "publish",
      "request",
      "tail",
      "listen",
      "webhooks",
      "deliveries",
      "hooks",
      "keys",
      "apply",
      "export",
      "doctor",
      "simulate",
      "mcp",
    ];
    assert.deepEqual(names, [...wanted, "completion"]);
  });

  for (const command of leaves(program)) {
    const path = `${command.parent === program ? "" : `${command.parent!.name()} `}${command.name()}`;
    it(`of ${path} has a description, examples that use it, and the global options`, () => {
      const help = helpOf(command);
      assert.match(command.description(), /^[A-Z].*\.$/);
      assert.match(help, new RegExp(`Examples:\n  \\$ .*causeway ${path}`));
      assert.match(help, /--json/);
    });
  }
});

describe("the completion data", () => {
  const nodes = completionNodes(program);
  const at = (path: string) => nodes.find((node) => node.path === path)!;

  it("has a node for each command", () => {
    const paths = leaves(program).map((command) =>
      command.parent === program ? `/${command.name()}` : `/${command.parent!.name()}/${command.name()}`,
    );
    for (const path of paths) assert.ok(at(path), path);
  });

  it("has the options of the command and of the program, each once", () => {
    const options = at("/deliveries/list").options.map(({ text }) => text);
    assert.deepEqual(options, [...new Set(options)]);
    for (const option of ["--status", "--json", "--profile", "--help"]) assert.ok(options.includes(option), option);
  });

  it("knows choices, values and files", () => {
    const byText = new Map(at("/publish").options.map((option) => [option.text, option]));
    assert.deepEqual(byText.get("--qos")!.choices, ["0", "1", "2"]);
    assert.deepEqual([byText.get("--file")!.takesFile, byText.get("--retain")!.takesValue], [true, false]);
    assert.deepEqual(
      at("/completion").words.map(({ text }) => text),
      ["bash", "zsh", "fish", "powershell"],
    );
  });
});
