/** The completion scripts in the shells that are installed. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { SHELLS } from "../../src/cli/completion/scripts.ts";
import { temporaryDirectory } from "../support/directories.ts";
import { findProgram, requireOrSkip } from "../support/requirements.ts";
import { runCli } from "./support.ts";

/** The words before the cursor, and some of the completions. */
const CASES: [words: string[], offered: string[], notOffered: string[]][] = [
  [[""], ["publish", "tail", "doctor"], ["list", "rotate-secret"]],
  [["we"], ["webhooks"], ["publish"]],
  [["webhooks", ""], ["list", "rotate-secret"], ["publish"]],
  [["webhooks", "list", "--"], ["--limit", "--all", "--json", "--help"], ["--qos"]],
  [["--json", "deliveries", "re"], ["retry", "replay"], ["get"]],
  [
    ["publish", "--qos", ""],
    ["0", "1", "2"],
    ["3", "publish"],
  ],
  [["deliveries", "list", "--status", "f"], ["failed"], ["succeeded"]],
  [["completion", ""], ["bash", "zsh", "fish", "powershell"], ["publish"]],
];

describe("completion", () => {
  const folder = temporaryDirectory("completion");
  const scripts: Record<string, string> = {};
  before(async () => {
    for (const shell of SHELLS) {
      const { code, stdout } = await runCli(["completion", shell]);
      assert.equal(code, 0);
      scripts[shell] = join(folder, shell);
      writeFileSync(scripts[shell]!, stdout);
    }
  });

  function check(complete: (words: string[]) => string[]): void {
    for (const [words, offered, notOffered] of CASES) {
      const found = complete(words);
      for (const word of offered) assert.ok(found.includes(word), `${words.join(" ")}: ${word} is not in ${found}`);
      for (const word of notOffered) assert.ok(!found.includes(word), `${words.join(" ")}: ${word} is in ${found}`);
    }
  }

  it("in bash", requireOrSkip("bash"), () => {
    check((words) => {
      const code = `source ${scripts.bash}; COMP_WORDS=(causeway "$@"); COMP_CWORD=$#; _causeway; printf '%s\\n' "\${COMPREPLY[@]}"`;
      return execFileSync("bash", ["--norc", "-c", code, "-", ...words], { encoding: "utf8" }).split("\n");
    });
  });

  it("in bash, registered for the program", requireOrSkip("bash"), () => {
    const code = `source ${scripts.bash}; complete -p causeway`;
    const output = execFileSync("bash", ["--norc", "-c", code], { encoding: "utf8" });
    assert.match(output, /-F _causeway causeway/);
  });

  it("in fish", requireOrSkip("fish"), () => {
    check((words) => {
      const code = `source ${scripts.fish}; complete -C ${JSON.stringify(["causeway", ...words].join(" "))}`;
      const output = execFileSync(findProgram("fish")!, ["--no-config", "-c", code], { encoding: "utf8" });
      return output.split("\n").map((line) => line.split("\t")[0]!);
    });
  });

  it("in zsh", requireOrSkip("zsh"), () => {
    // Outside the line editor no completion runs: the functions that would show the words print them.
    const stubs = `
      compdef() { :; }
      compadd() { [[ $1 == -- ]] && shift; print -l -- "$@"; }
      _files() { :; }
      _describe() { local -a shown=("\${(@P)2}"); print -l -- "\${(@)shown%%:*}"; }
    `;
    check((given) => {
      const code = `${stubs}\nsource ${scripts.zsh}; words=(causeway "$@"); CURRENT=$#words; _causeway`;
      const output = execFileSync(findProgram("zsh")!, ["-f", "-c", code, "-", ...given], { encoding: "utf8" });
      const prefix = given.at(-1)!;
      return output.split("\n").filter((word) => word.startsWith(prefix));
    });
    execFileSync(findProgram("zsh")!, ["-f", "-n", scripts.zsh!]);
  });

  it("registers itself in PowerShell", () => {
    assert.match(
      readFileSync(scripts.powershell!, "utf8"),
      /^Register-ArgumentCompleter -Native -CommandName causeway /m,
    );
  });

  // Debian has no PowerShell, so CI cannot run it.
  if (findProgram("pwsh") !== undefined) {
    it("in PowerShell", () => {
      check((words) => {
        const line = ["causeway", ...words].join(" ");
        const code = `. ([scriptblock]::Create((Get-Content -Raw ${scripts.powershell}))); (TabExpansion2 '${line}' ${line.length}).CompletionMatches.CompletionText`;
        return execFileSync("pwsh", ["-NoProfile", "-Command", code], { encoding: "utf8" }).split(/\r?\n/);
      });
    });
  }
});
