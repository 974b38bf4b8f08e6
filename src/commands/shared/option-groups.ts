/** Options that several commands take, a group a function. */
import { type Command, Option } from "commander";

/** A command that asks something of recordings, which may hold several machines. */
export function question(
  program: Command,
  name: string,
  description: string,
  options: { isDefault?: boolean } = {},
): Command {
  return withMachine(recordings(program, name, description, options));
}

export function withMachine(command: Command): Command {
  return command
    .option("--machine <which>", "only this virtual machine: its number, PID or name")
    .option("--machine-name <pid=name>", "name the machine of this PID; may be repeated", collect);
}

export function recordings(
  program: Command,
  name: string,
  description: string,
  options: { isDefault?: boolean } = {},
): Command {
  return recordingOptions(
    common(program.command(name, options).description(description)).argument(
      "<case...>",
      "a bundle, a folder or a tar archive; or files: ftrace text, trace.dat, QEMU log or simpletrace, " +
        "compressed or not, and what is known beside them; - is standard input",
    ),
  );
}

/** How recordings are read and put on one clock. */
export function recordingOptions(command: Command): Command {
  return command
    .option("--sync-marker <regexp>", "trace_marker lines that are a sync")
    .option("--trace-events <file>", "QEMU's trace-events-all, for a simpletrace")
    .option("--mtree <file>", "answer to `info mtree -f`: where RAM blocks lie", collect)
    .option("--clock-offset <file=sec>", "seconds to add to a recording's times", collect)
    .option("--clock-tolerance <sec>", "how well these are known (default: 0.00005)")
    .option("--clock-pairs <file>", "realtime= and monotonic= of the host, a line a reading")
    .option("--jobs <n>", "threads that may work (default: by processors and size)");
}

export function common(command: Command): Command {
  const choices = ["auto", "always", "never"];
  return command
    .option("--json", "print JSON (schemas are in the package)")
    .option("--quiet", "no progress, no warnings")
    .addOption(new Option("--color <when>", "emphasis").choices(choices).default("auto"));
}

export const collect = (name: string, before: string[] | undefined) => [...(before ?? []), name];

export function withPolicies(
  command: Command,
  description = "may be repeated (default: those of report, by the kernel that ran)",
): Command {
  return withPolicyFile(withWindow(command)).option("--policy <name>", description, collect);
}

export function withPolicyFile(command: Command): Command {
  return command.option(
    "--policy-file <file>",
    "a vendor kernel, as JSON; may be repeated",
    collect,
  );
}

export function withWindow(command: Command): Command {
  return command
    .option("--assume-logging", "as if logging had been on throughout")
    .option("--no-assume-logging", "only while the recording shows logging on");
}
