/** Completion scripts, one for each shell: static, so that a press of the tab key starts no process. */
import { type CompletionNode, valueOptions, type Word } from "./tree.ts";

export const SHELLS = ["bash", "zsh", "fish", "powershell"] as const;
export type Shell = (typeof SHELLS)[number];

export const scripts: Record<Shell, (nodes: readonly CompletionNode[]) => string> = { bash, zsh, fish, powershell };

const pathsOf = (nodes: readonly CompletionNode[]) => nodes.map(({ path }) => path).filter((path) => path !== "");
const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

function bash(nodes: readonly CompletionNode[]): string {
  const list = (words: readonly string[]) => `COMPREPLY=($(compgen -W ${quote(words.join(" "))} -- "$current"))`;
  return `# Completion of causeway for bash. Load it with: source <(causeway completion bash)
_causeway() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} at='' word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$at/$word" in ${pathsOf(nodes).join("|")}) at=$at/$word ;; esac
  done
  COMPREPLY=()
  case "$at $previous" in
${choiceCases(nodes, (choices) => list(choices))}
  esac
  case "$previous" in ${valueOptions(nodes, () => true).join("|")}) return ;; esac
  case "$at" in
${nodes.map(({ path, words, options }) => `    ${quote(path)}) ${list([...words, ...options].map(({ text }) => text))} ;;`).join("\n")}
  esac
}
complete -o default -F _causeway causeway
`;
}

function zsh(nodes: readonly CompletionNode[]): string {
  const described = (words: readonly Word[]) =>
    words.map(({ text, description }) => quote(`${text}:${description}`)).join(" ");
  const files = valueOptions(nodes, ({ takesFile }) => takesFile).join("|");
  const others = valueOptions(nodes, ({ takesFile }) => !takesFile).join("|");
  return `#compdef causeway
# Completion of causeway for zsh. Load it after compinit with: source <(causeway completion zsh)
_causeway() {
  local at='' word
  local -a subcommands options
  for word in \${words[2,CURRENT-1]}; do
    case "$at/$word" in (${pathsOf(nodes).join("|")}) at=$at/$word ;; esac
  done
  case "$at \${words[CURRENT-1]}" in
${choiceCases(nodes, (choices) => `compadd -- ${choices.join(" ")}`, "(")}
  esac
  case "\${words[CURRENT-1]}" in
    (${files}) _files; return ;;
    (${others}) return ;;
  esac
  case "$at" in
${nodes.map(({ path, words, options }) => `    (${quote(path)}) subcommands=(${described(words)}) options=(${described(options)}) ;;`).join("\n")}
  esac
  if [[ \${words[CURRENT]} == -* ]]; then
    _describe option options
  else
    _describe command subcommands
  fi
}
if [[ $funcstack[1] == _causeway ]]; then _causeway "$@"; else compdef _causeway causeway; fi
`;
}

/** Options with a fixed set of values: a case for each, which ends the completion. */
function choiceCases(nodes: readonly CompletionNode[], act: (choices: readonly string[]) => string, open = ""): string {
  const cases = nodes.flatMap(({ path, options }) =>
    options
      .filter(({ choices }) => choices.length > 0)
      .map(({ text, choices }) => `    ${open}${quote(`${path} ${text}`)}) ${act(choices)}; return ;;`),
  );
  return cases.join("\n");
}

function fish(nodes: readonly CompletionNode[]): string {
  const text = (value: string) => `'${value.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  const lines = nodes.flatMap(({ path, words, options }) => {
    const at = `complete -c causeway -n "__causeway_at '${path}'"`;
    return [
      ...words.map((word) => `${at} -a ${word.text} -d ${text(word.description)}`),
      ...options.map((option) => {
        const values =
          option.choices.length > 0 ? ` -x -a ${text(option.choices.join(" "))}` : option.takesFile ? " -r -F" : " -x";
        return `${at} -l ${option.text.slice(2)}${option.takesValue ? values : ""} -d ${text(option.description)}`;
      }),
    ];
  });
  return `# Completion of causeway for fish. Load it with: causeway completion fish | source
function __causeway_at
    set -l at ''
    for word in (commandline -opc)[2..-1]
        if contains -- "$at/$word" ${pathsOf(nodes).join(" ")}
            set at "$at/$word"
        end
    end
    test "$at" = "$argv[1]"
end
complete -c causeway -f
${lines.join("\n")}
`;
}

function powershell(nodes: readonly CompletionNode[]): string {
  const text = (value: string) => `'${value.replaceAll("'", "''")}'`;
  const table = (entries: [string, readonly string[]][]) =>
    entries.map(([key, values]) => `        ${text(key)} = @(${values.map(text).join(", ")})`).join("\n");
  const words: [string, readonly string[]][] = nodes.map(({ path, words, options }) => [
    path,
    [...words, ...options].map((word) => word.text),
  ]);
  const choices: [string, readonly string[]][] = nodes.flatMap(({ path, options }) =>
    options
      .filter((each) => each.choices.length > 0)
      .map((each): [string, readonly string[]] => [`${path} ${each.text}`, each.choices]),
  );
  return `# Completion of causeway for PowerShell. Load it with: causeway completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName causeway -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @{
${table(words)}
    }
    $choices = @{
${table(choices)}
    }
    $at = ''
    $previous = ''
    foreach ($element in ($commandAst.CommandElements | Select-Object -Skip 1)) {
        if ($element.Extent.EndOffset -ge $cursorPosition) { break }
        $previous = $element.Extent.Text
        if ($words.ContainsKey("$at/$previous")) { $at = "$at/$previous" }
    }
    $candidates = if ($choices.ContainsKey("$at $previous")) { $choices["$at $previous"] } else { $words[$at] }
    $candidates | Where-Object { $_ -like "$wordToComplete*" } | ForEach-Object {
        [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
    }
}
`;
}
