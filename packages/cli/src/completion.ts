/** Shell completion from the program's own tree of commands, so that it can never name what is not there. */
import type { Command } from 'commander';

export type Shell = 'bash' | 'zsh' | 'fish';

interface Node {
  readonly path: string;
  readonly words: readonly string[];
}

/** Each command's path with the words that may follow it. */
function nodesOf(command: Command, path: string): readonly Node[] {
  const flags = command.options.flatMap(({ long }) => (long === undefined || long === null ? [] : [long]));
  const choices = command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []);
  const words = [...command.commands.map((each) => each.name()), ...choices, ...flags, '--help'];
  return [{ path, words }, ...command.commands.flatMap((each) => nodesOf(each, `${path} ${each.name()}`))];
}

export function completionScript(program: Command, shell: Shell): string {
  const nodes = nodesOf(program, program.name());
  if (shell === 'fish') return fish(nodes);
  const valued = [...new Set(valuedFlags(program))].sort();
  // zsh reads bash completions through its own bridge.
  const bridge = shell === 'zsh' ? 'autoload -U +X bashcompinit && bashcompinit\n' : '';
  return bridge + bash(nodes, valued);
}

/** Flags whose next word is their value, and no command. */
function valuedFlags(command: Command): readonly string[] {
  const own = command.options.filter(({ required, optional }) => required || optional);
  const names = own.flatMap(({ long, short }) => [long, short].filter((name) => typeof name === 'string'));
  return [...names, ...command.commands.flatMap(valuedFlags)];
}

function bash(nodes: readonly Node[], valued: readonly string[]): string {
  const cases = nodes.map(({ path, words }) => `    '${path}') words='${words.join(' ')}' ;;`).join('\n');
  return `_skerry() {
  local path=skerry word words skip=
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if [ -n "$skip" ]; then skip=; continue; fi
    case "$word" in
      ${valued.join('|')}) skip=1 ;;
      -*) ;;
      *) path="$path $word" ;;
    esac
  done
  # The value of a flag: files, as the shell completes them.
  if [ -n "$skip" ]; then COMPREPLY=(); return; fi
  case "$path" in
${cases}
    *) words= ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _skerry skerry
`;
}

function fish(nodes: readonly Node[]): string {
  const lines = nodes.flatMap(({ path, words }) => {
    const parents = path.split(' ').slice(1);
    const condition =
      parents.length === 0
        ? '__fish_use_subcommand'
        : parents.map((word) => `__fish_seen_subcommand_from ${word}`).join('; and ');
    return words.map((word) => {
      const what = word.startsWith('--') ? `-l ${word.slice(2)}` : `-f -a ${word}`;
      return `complete -c skerry -n '${condition}' ${what}`;
    });
  });
  return `${lines.join('\n')}\n`;
}
