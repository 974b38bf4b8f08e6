/**
 * What recording costs: instructions that vhost's worker runs for a request, with and without the
 * probes. QEMU counts instructions as the machine's clock (icount, one a nanosecond), and the
 * kernel counts the worker's run time by that clock.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { LabError } from "./command.ts";
import { baseArchive } from "./initramfs.ts";
import { formsOf, type Kernel } from "./kernels.ts";
import { boot } from "./machine.ts";
import { LAB, RESULTS } from "./paths.ts";
import { recordScript } from "./record-script.ts";
import { columns } from "./table.ts";

/**
 * Not 6.12: its count of a thread's run time loses whole batches (two runs of the same requests
 * gave 4060 and 2928 for one), so that the numbers mean nothing.
 */
export const COST_KERNELS = ["6.1", "6.16", "7.2"];

const SCENARIO = "90-cost";

/** Kinds of requests, as the marks of the scenario name them. */
const KINDS: Record<string, string> = {
  tur: "TEST UNIT READY",
  "read-4k": "READ of 4 KiB",
  "read-8x4k": "READ of 8 x 4 KiB",
  "read-8x4k-indirect": "the same, indirect",
};

export interface Cost {
  release: string;
  /** Off, or how it was recorded. */
  recording: string;
  /** Instructions for a request, by kind. */
  instructions: Map<string, number>;
}

interface Mark {
  name: string;
  worker: number;
  requests: number;
}

function marksOf(text: string): Mark[] {
  const pattern = /mark (\S+) worker (\d+) requests (\d+)/g;
  return [...text.matchAll(pattern)].map(([, name = "", worker, requests]) => ({
    ...{ name, worker: Number(worker), requests: Number(requests) },
  }));
}

async function measure(kernel: Kernel, label: string, form: string, record: string): Promise<Cost> {
  const archive = baseArchive(kernel, recordScript(kernel));
  const script = readFileSync(join(LAB, "scenarios", "cost", `${SCENARIO}.txt`));
  archive.file(`scenarios/${SCENARIO}.txt`, script);
  const name = `cost-${kernel.name}-${label.replaceAll(/\W+/g, "-")}`;
  const folder = join(RESULTS, "cost", name);
  await boot(
    {
      ...{ name, kernel, initramfs: archive.finish(), processor: "counted" },
      settings: { suite: "scenarios", form, ...(record === "" ? {} : { record }) },
      ...{ memoryMiB: 2048, seconds: 900 },
    },
    folder,
  );
  const instructions = new Map<string, number>();
  const marks = marksOf(readFileSync(join(folder, "console.txt"), "latin1"));
  for (const [index, mark] of marks.entries()) {
    const before = marks[index - 1];
    if (!before) continue;
    const requests = mark.requests - before.requests;
    instructions.set(mark.name, Math.round((mark.worker - before.worker) / requests));
  }
  if (instructions.size !== Object.keys(KINDS).length) {
    throw new LabError(`${folder}: ${instructions.size} kinds were measured; see console.txt`);
  }
  return { release: kernel.release, recording: label, instructions };
}

/** Off, then each form of the probes, then with the filter on `desc`. */
export async function costs(kernel: Kernel): Promise<Cost[]> {
  const done = [await measure(kernel, "off", "regs", "none")];
  for (const form of formsOf(kernel)) {
    done.push(await measure(kernel, form === "regs" ? "register" : "member", form, ""));
  }
  done.push(await measure(kernel, "register, -w", "regs", "-w"));
  return done;
}

export function costText(all: readonly Cost[]): string {
  const head = ["instructions a request", "recording", ...Object.values(KINDS)];
  const lines = all.map(({ release, recording, instructions }) => [
    release,
    recording,
    ...Object.keys(KINDS).map((kind) => String(instructions.get(kind) ?? "")),
  ]);
  return columns([head, ...lines]);
}
