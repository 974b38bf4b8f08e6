/** As many machines as there are: each is one, and beyond the most that one replay keeps a limit says so. */
import { expect, test } from "vitest";
import { MAX_MACHINES } from "../../assembly/queue-abi.ts";
import { findPolicy } from "../../src/vhost/policy.ts";
import { memorySource, replayMachines } from "../support/memory-source.ts";

/** A worker a machine, with a queue and a request each. */
function recording(machines: number): string {
  const lines: string[] = [];
  const add = (worker: string, event: string): void => {
    const at = `100.${String(lines.length).padStart(6, "0")}`;
    lines.push(`${worker.padStart(23)} [000] .....   ${at}: ${event}\n`);
  };
  for (let i = 0; i < machines; i++) {
    const worker = `vhost-${1000 + 2 * i}-${1001 + 2 * i}`;
    const hex = (n: number): string => `0x${n.toString(16)}`;
    const vq = hex(0xff00000000 + i * 0x100000);
    const state = "num=64 logused=1 logaddr=0x15000 feat=0x11c000000";
    add(
      worker,
      `drain: (f+0x0/0x10) vq=${vq} ${state} avail=0 used=0 uflags=0x0 logbase=0x7f1000000000 ` +
        `dev=${hex(0xee00000000 + i * 0x100000)} q0=${vq} q1=${hex(0xff00000000 + i * 0x100000 + 0x500)}`,
    );
    add(worker, `desc: (f+0x0/0x10) vq=${vq} gpa=0x200000 len=4096 iov=0x1 acc=2`);
    add(worker, "pop: (f+0x0/0x10) head=1");
    add(worker, `used: (f+0x0/0x10) vq=${vq} head=1 len=0 n=1 idx=0 ${state}`);
  }
  return `# tracer: nop\n#\n${lines.join("")}`;
}

const machinesOf = async (count: number) =>
  (
    await replayMachines([memorySource("trace.txt", recording(count))], {
      policies: [{ policy: findPolicy("linux-6.1"), alias: null }],
      window: "auto",
    })
  ).machines;

test("as many as one replay keeps are told apart, each with its own page", async () => {
  const machines = await machinesOf(MAX_MACHINES);
  expect(machines).toHaveLength(MAX_MACHINES);
  expect(new Set(machines.map(({ pid }) => pid)).size).toBe(MAX_MACHINES);
  expect(new Set(machines.map(({ policies }) => policies[0]!.lost))).toEqual(new Set([1]));
  expect(machines.every(({ certainty }) => certainty === "exact")).toBe(true);
});

test("with one more none of them is sure: whose its pages are is not known", async () => {
  const machines = await machinesOf(MAX_MACHINES + 1);
  expect(machines).toHaveLength(MAX_MACHINES);
  for (const { limits, certainty } of machines) {
    expect(certainty).toBe("bounds");
    const text = limits.find(({ code }) => code === "machines-not-told")?.text;
    expect(text).toContain(`more than ${MAX_MACHINES} machines`);
  }
});
