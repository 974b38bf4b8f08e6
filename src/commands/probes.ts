/** `probes`: the kprobe definitions for a kernel, as lines or as a script that records. */

import { UsageError } from "../model/place.ts";
import { type BackEndProbes, backEndProbes } from "../node/record/back-end-probes.ts";
import { defineLines, defineProbes } from "../node/record/define-probes.ts";
import { type Host, thisHost } from "../node/record/host.ts";
import { type KernelProbes, kernelProbes, MACHINES } from "../node/record/kernel-probes.ts";
import { ownId, stateFolder, writeState } from "../node/record/record-state.ts";
import { TraceFs } from "../node/record/tracefs.ts";
import { BACK_END_NAMES, type BackEndName } from "../probes/back-ends.ts";
import { ARCHITECTURES, type Architecture } from "../probes/btf/calling-convention.ts";
import { definition, FORMS, type Form } from "../probes/definition.ts";
import { DRIVER_MODULES, DRIVERS, type DriverName } from "../probes/recipe.ts";
import { renderScript } from "../probes/script.ts";
import { printable } from "../report/text/text-layout.ts";
import { EXIT, type Io } from "./shared/io.ts";
import type { ReplayApi } from "./shared/replay-api.ts";

/** Options that say which probes. */
export interface ProbeArguments {
  btf?: string;
  kernel?: string;
  arch?: string;
  form?: string;
  driver?: string;
  requests?: boolean;
  /** Name and program of a user-space back end. */
  backend?: string;
  binary?: string;
}

export interface ProbesArguments extends ProbeArguments {
  apply?: boolean;
  script?: boolean;
  quiet?: boolean;
}

/** Prints the definitions, or the script; what cannot be placed goes to standard error. */
export async function run(
  api: Pick<ReplayApi, "tool">,
  io: Io,
  args: ProbesArguments,
): Promise<number> {
  const backEnd = backEndAsked(args);
  if (backEnd) return showBackEnd(io, args, backEnd);
  const drivers = driversNamed(args.driver);
  const probes = await findProbes(args, drivers);
  if (!args.quiet) for (const line of remarks(probes, drivers, args)) io.err(`${line}\n`);
  if (!probes.placement.placed.some(({ probe }) => probe.event === "used")) {
    throw new UsageError("none of these probes can record a completion; see the lines above");
  }
  if (args.script) {
    await io.out(
      renderScript({
        ...probes,
        drivers,
        requests: args.requests ?? false,
        machine: MACHINES[probes.architecture],
        tool: `${api.tool.name} ${api.tool.version}`,
      }),
    );
    return EXIT.ok;
  }
  if (args.apply) return apply(io, probes, args);
  const form = probes.forms[0] ?? "regs";
  const lines = probes.placement.placed.map((probe) => definition(probe, form, probes.abilities));
  await io.out(`${lines.join("\n")}\n`);
  return EXIT.ok;
}

/** `record --cleanup` removes what is known to be ours. */
function noteOwn(host: Host, tracefs: TraceFs): void {
  const own = { instance: false, probes: tracefs.events };
  const none = { child: null, partial: "", qemu: null };
  writeState(stateFolder(host), { recorder: ownId(), own, ...none });
}

/** The same of a user-space back end. */
async function showBackEnd(io: Io, args: ProbesArguments, probes: BackEndProbes): Promise<number> {
  if (args.script) throw new UsageError("--script: not with --backend; use --apply, or record");
  if (!args.apply) {
    await io.out(`${probes.lines.join("\n")}\n`);
    return EXIT.ok;
  }
  const host = thisHost();
  const tracefs = TraceFs.open(host, "uprobe");
  await defineLines(tracefs, probes.lines);
  noteOwn(host, tracefs);
  await io.out(`${tracefs.probes().join("\n")}\n`);
  return EXIT.ok;
}

/** The probes of `--backend` in `--binary`; null without. Throws UsageError and RecordingError. */
export function backEndAsked(args: ProbeArguments): BackEndProbes | null {
  const name = oneOf<BackEndName>("--backend", args.backend, BACK_END_NAMES);
  if (name === null && args.binary === undefined) return null;
  if (name === null || args.binary === undefined) {
    throw new UsageError("--backend and --binary belong together");
  }
  for (const option of ["driver", "btf", "form"] as const) {
    if (args[option] !== undefined) throw new UsageError(`--${option}: not with --backend`);
  }
  return backEndProbes(name, args.binary);
}

/** Defines them on this host, and prints them as the kernel lists them. */
async function apply(io: Io, probes: KernelProbes, args: ProbesArguments): Promise<number> {
  const host = thisHost();
  const tracefs = TraceFs.open(host, "kprobe");
  await defineProbes(tracefs, probes, (line) => {
    if (!args.quiet) io.err(`${line}\n`);
  });
  noteOwn(host, tracefs);
  await io.out(`${tracefs.probes().join("\n")}\n`);
  return EXIT.ok;
}

/** Looks the probes up. Throws RecordingError and UsageError. */
export function findProbes(
  args: ProbeArguments,
  drivers: readonly DriverName[],
): Promise<KernelProbes> {
  return kernelProbes({
    btf: args.btf ?? null,
    kernel: args.kernel ?? null,
    architecture: oneOf<Architecture>("--arch", args.arch, ARCHITECTURES),
    form: oneOf<Form>("--form", args.form, FORMS),
    drivers,
    requests: args.requests ?? false,
  });
}

/** `scsi,net` as names. Throws UsageError for another one. */
export function driversNamed(list: string | undefined): DriverName[] {
  const names = (list ?? "scsi").split(",").map((name) => name.replace(/^vhost[-_]/, ""));
  return DRIVERS.filter((driver) => {
    for (const name of names) {
      if (!DRIVERS.some((each) => each === name)) {
        throw new UsageError(
          `--driver: ${DRIVERS.join(", ")}, not ${printable(name) || "nothing"}`,
        );
      }
    }
    return names.includes(driver);
  });
}

function oneOf<T extends string>(
  option: string,
  value: string | undefined,
  choices: readonly T[],
): T | null {
  if (value === undefined) return null;
  const choice = choices.find((each) => each === value);
  if (choice) return choice;
  throw new UsageError(`${option}: ${choices.join(" or ")}, not ${printable(value)}`);
}

/** One line for each probe that has no place, and for each loaded driver that was not asked for. */
export function remarks(
  { placement, modules }: KernelProbes,
  drivers: readonly DriverName[],
  args: ProbeArguments,
): string[] {
  const lines = placement.missing.map(
    ({ event, function: name, why, without }) =>
      `without ${event}: ${without} (${name}: ${printable(why)})`,
  );
  // In a folder of files the presence of a module says nothing about its use.
  if (args.btf !== undefined) return lines;
  for (const driver of DRIVERS) {
    if (drivers.includes(driver) || !modules.includes(DRIVER_MODULES[driver])) continue;
    lines.push(
      `${DRIVER_MODULES[driver]} is loaded too: to replay its queues add --driver ${[...drivers, driver].join(",")}`,
    );
  }
  return lines;
}
