/** Machines in text: what they are called, and an answer about one or several of them. */
import type { MachineResult, ReplayResult, ToldBy } from "../../model/result.ts";
import { clockWarning } from "./clock-text.ts";
import { inputLine } from "./input-text.ts";
import { listOf } from "./number-text.ts";
import { printable, sectionsText, type TextStyle, wrapText } from "./text-layout.ts";

const TOLD_BY: Record<ToldBy, string> = {
  worker: "the name of its vhost workers",
  ioctl: "the process of its ioctls",
  memory: "where its memory lies",
  qemu: "QEMU's own recording",
};

/** `PID 4240`, `PID 4240 (web)`; empty where nothing is known of it. */
function machineFacts({ pid, name }: MachineResult): string {
  const process = pid === null ? "" : `PID ${pid}`;
  if (name === null) return process;
  return process === "" ? printable(name) : `${process} (${printable(name)})`;
}

/** `Machine 2, PID 4240 (web)`. */
export function machineLabel(machine: MachineResult): string {
  return [`Machine ${machine.number}`, machineFacts(machine)].filter(Boolean).join(", ");
}

/** The line that names the only machine, where it is known. */
export function machineLine(machine: MachineResult): string[] {
  const facts = machineFacts(machine);
  if (facts === "") return [];
  const told = machine.toldBy.map((by) => TOLD_BY[by]);
  return wrapText(`Machine: ${facts}${told.length > 0 ? `, by ${listOf(told)}` : ""}`, "", "  ");
}

/** What is said of one machine. */
export interface MachineSpeech {
  /** The answer in one sentence. */
  headline(machine: MachineResult, index: number): string;
  /** Its sections, the answer first; `facts` are those about the recording, which stand among them. */
  sections(machine: MachineResult, facts: string[][], index: number): string[][];
}

/**
 * The text of an answer. One machine is spoken of as if there were no others; of several the
 * answers stand first, a line each, then the recording, then each machine by itself. `files`: lines
 * about the files of a case.
 */
export function machinesText(
  result: ReplayResult,
  style: TextStyle,
  speech: MachineSpeech,
  files: string[] = [],
): string {
  const [only, ...others] = result.machines;
  const inputs = result.inputs.flatMap(inputLine);
  const warning = clockWarning(result, style);
  if (only && others.length === 0) {
    const facts = [files, [...machineLine(only), ...inputs]];
    return sectionsText([warning, ...speech.sections(only, facts, 0)]);
  }
  const headline = (machine: MachineResult, index: number): string[] =>
    wrapText(`${machineLabel(machine)}: ${speech.headline(machine, index)}`, "", "  ");
  return sectionsText([
    warning,
    result.machines.flatMap(headline).map(style.bold),
    files,
    inputs,
    ...result.machines.flatMap((machine, index) => [
      [style.bold(`== ${machineLabel(machine)}`)],
      ...speech.sections(machine, [toldText(machine)], index),
    ]),
  ]);
}

function toldText({ toldBy }: MachineResult): string[] {
  if (toldBy.length === 0) return [];
  return wrapText(`Told from the others by ${listOf(toldBy.map((by) => TOLD_BY[by]))}.`, "", "  ");
}
