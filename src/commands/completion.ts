/** Completion for shells, and a manual page: made of the commands themselves, so they cannot fall behind. */
import type { Command } from "commander";

/** What can be made. */
export const SCRIPTS = ["bash", "zsh", "fish", "man"] as const;
export type Script = (typeof SCRIPTS)[number];

interface Entry {
  /** `stale`, `fleet plan`. */
  name: string;
  about: string;
  options: { flags: string[]; about: string; takes: boolean }[];
}

/** The text for a shell, or a page for `man -l`. */
export function scriptOf(program: Command, script: Script): string {
  const entries = entriesOf(program);
  if (script === "man") return manPage(program, entries);
  if (script === "fish") return fish(entries);
  return script === "zsh"
    ? `#compdef vhost-replay\nautoload -U bashcompinit && bashcompinit\n${bash(entries)}`
    : bash(entries);
}

function entriesOf(command: Command, prefix = ""): Entry[] {
  return command.commands.flatMap((one) => {
    const name = `${prefix}${one.name()}`;
    const inner = entriesOf(one, `${name} `);
    if (inner.length > 0) return inner;
    const options = one.options.map((option) => ({
      flags: [option.short, option.long].filter((flag): flag is string => Boolean(flag)),
      about: option.description,
      takes: option.required || option.optional,
    }));
    return [{ name, about: one.description(), options }];
  });
}

/** Words of an entry's options, as a shell offers them. */
const words = ({ options }: Entry): string =>
  [...options.flatMap(({ flags }) => flags.filter((flag) => flag.startsWith("--"))), "--help"].join(
    " ",
  );

function bash(entries: readonly Entry[]): string {
  const first = [...new Set(entries.map(({ name }) => name.split(" ")[0]!))];
  const groups = first.filter((name) => entries.some((one) => one.name.startsWith(`${name} `)));
  const inner = groups.map((group) => {
    const names = entries.flatMap(({ name }) =>
      name.startsWith(`${group} `) ? [name.split(" ")[1]!] : [],
    );
    return `    ${group}) words="${names.join(" ")}" ;;`;
  });
  const cases = entries.map((entry) => `    "${entry.name}") words="${words(entry)}" ;;`);
  return `_vhost_replay() {
  local current=\${COMP_WORDS[COMP_CWORD]} name=\${COMP_WORDS[1]} words=""
  if [ "$COMP_CWORD" -eq 1 ] && [[ $current != -* ]]; then
    COMPREPLY=($(compgen -W "${first.join(" ")}" -- "$current") $(compgen -f -- "$current"))
    return
  fi
  if [ "$COMP_CWORD" -eq 2 ]; then
    case $name in
${inner.join("\n")}
    esac
  fi
  case $name in ${groups.join("|")}) name="$name \${COMP_WORDS[2]}" ;; esac
  if [ -z "$words" ] && [[ $current == -* ]]; then
    case $name in
${cases.join("\n")}
    esac
  fi
  if [ -n "$words" ]; then COMPREPLY=($(compgen -W "$words" -- "$current"))
  else COMPREPLY=($(compgen -f -- "$current")); fi
}
complete -o filenames -F _vhost_replay vhost-replay
`;
}

const quoted = (text: string): string => `'${text.replaceAll("'", "\\'")}'`;

function fish(entries: readonly Entry[]): string {
  const lines = entries.flatMap(({ name, about, options }) => {
    const [first = "", second] = name.split(" ");
    const here =
      second === undefined
        ? `__fish_seen_subcommand_from ${first}`
        : `__fish_seen_subcommand_from ${first}; and __fish_seen_subcommand_from ${second}`;
    const offer =
      second === undefined
        ? `complete -c vhost-replay -n __fish_use_subcommand -a ${first} -d ${quoted(about)}`
        : `complete -c vhost-replay -n ${quoted(`__fish_seen_subcommand_from ${first}`)} -a ${second} -d ${quoted(about)}`;
    return [
      offer,
      ...options.map((option) => {
        const flags = option.flags.map((flag) =>
          flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`,
        );
        const takes = option.takes ? " -r" : "";
        return `complete -c vhost-replay -n ${quoted(here)} ${flags.join(" ")}${takes} -d ${quoted(option.about)}`;
      }),
    ];
  });
  return `${lines.join("\n")}\n`;
}

/** Text in roff: no backslash of it means anything, no line of it begins with a dot, and a dash is one. */
function roff(text: string): string {
  const escaped = text.replaceAll("\\", "\\e").replaceAll("-", "\\-");
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}

function manPage(program: Command, entries: readonly Entry[]): string {
  const commands = entries.flatMap(({ name, about, options }) => [
    `.SS ${roff(name)}`,
    roff(about),
    ...options.flatMap(({ flags, about: what }) => [
      ".TP",
      `.B ${roff(flags.join(", "))}`,
      roff(what),
    ]),
  ]);
  return [
    '.TH VHOST-REPLAY 1 "" "vhost-replay" "User Commands"',
    ".SH NAME",
    `vhost\\-replay \\- ${roff(program.description())}`,
    ".SH SYNOPSIS",
    ".B vhost\\-replay",
    "[COMMAND] CASE... [OPTIONS]",
    ".SH COMMANDS",
    ...commands,
    ".SH EXIT STATUS",
    "0 nothing lost (or equal), 1 pages lost (or different), 2 usage, or input that cannot be read,",
    "3 no verdict, or none as far as recorded, 70 a bug, 130 interrupted.",
    "",
  ].join("\n");
}
