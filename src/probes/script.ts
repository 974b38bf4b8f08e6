/** Renders `probes --script`: a shell script that needs nothing else on the host. */
import { type Abilities, definition, type Form } from "./definition.ts";
import { checked, checkedAll, oneLine } from "./outside-value.ts";
import { DRIVER_MODULES, type DriverName, probesFor } from "./recipe.ts";
import type { Placement } from "./resolve.ts";
import { SCRIPT_DEFINE } from "./script-define.ts";
import { SCRIPT_RECORD } from "./script-record.ts";

/** A BTF blob of /sys/kernel/btf by which the script knows the build it was made for. */
export interface Fingerprint {
  name: string;
  cksum: number;
  size: number;
}

export interface ScriptInput {
  placement: Placement;
  drivers: readonly DriverName[];
  requests: boolean;
  /** Tried in this order. */
  forms: readonly Form[];
  abilities: Abilities;
  /** As `uname -m` and `uname -r` print them; an unknown release is not checked. */
  machine: string;
  release: string | null;
  fingerprints: readonly Fingerprint[];
  /** `vhost-replay 0.1.0`. */
  tool: string;
}

/** The script's text. Same input, same bytes. */
export function renderScript(input: ScriptInput): string {
  const { placement, drivers, forms } = input;
  const functions = new Set(placement.placed.map((probe) => probe.function));
  const entries = drivers.map((driver) => `${DRIVER_MODULES[driver]}`);
  const release = input.release === null ? null : checked("kernel release", input.release);
  const machine = checked("machine", input.machine);
  const ioctls = placement.placed.filter(({ probe }) => probe.event === "ioctl");
  const lines = [
    "#!/bin/sh",
    `# Records virtqueues for vhost-replay. Made by ${checked("tool and version", input.tool)}: probes --script`,
    `# for kernel ${release ?? "(not named)"}, ${machine}, drivers ${drivers.join(", ")}.`,
    "# Runs in any POSIX shell, also that of busybox. record.sh --help shows the commands.",
    "",
    `made_for_machine=${quoted(machine)}`,
    `made_for_release=${quoted(release ?? "")}`,
    `forms=${quoted(forms.join(" "))}`,
    `functions=${quoted(checkedAll("function", functions).map(asPattern).join("|"))}`,
    `drivers=${quoted(
      checkedAll(
        "function",
        ioctls.map((probe) => probe.function),
      ).join(" "),
    )}`,
    `no_driver=${quoted(`module ${entries.join(" or ")} is not loaded; load it first: modprobe ${entries[0]}`)}`,
    `blobs=${quoted(input.fingerprints.map((each) => `${checked("name of BTF", each.name)} ${each.cksum} ${each.size}`).join("\n"))}`,
    `unplaced=${quoted(placement.missing.map((each) => `${checked("event", each.event)}|${checked("function", each.function)}|${oneLine(each.why)}`).join("\n"))}`,
    "",
    "# What the verdict loses without an event.",
    "without() {",
    "\tcase $1 in",
    ...withoutCases(input),
    "\tesac",
    "}",
    "",
    ...(["btf", "regs"] as const).flatMap((form) => [
      `definitions_${form}() {`,
      "\tcat <<'EOF'",
      ...(forms.includes(form)
        ? placement.placed.map(
            (probe) =>
              `${checked("event", probe.probe.event)}|${probe.function}|${definition(probe, form, input.abilities)}`,
          )
        : []),
      "EOF",
      "}",
      "",
    ]),
  ];
  return lines.join("\n") + SCRIPT_DEFINE + SCRIPT_RECORD;
}

function withoutCases({ drivers, requests }: ScriptInput): string[] {
  const texts = new Map<string, string>();
  for (const { event, without } of probesFor(drivers, requests)) {
    if (!texts.has(event)) texts.set(event, without);
  }
  return [...texts].map(([event, text]) => `\t${event}) echo ${quoted(text)} ;;`);
}

/** A function's name in `grep -E`: the dots of `.isra.0` are meant. */
function asPattern(name: string): string {
  return name.replaceAll(".", "\\.");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
