/** Guest page numbers are equal in all guests: what is said of pages is said of one machine. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { MachineResult } from "../../src/model/result.ts";
import { findPolicy } from "../../src/vhost/policy.ts";
import { type Line, machineStreams, pidOf, recordingOfLines } from "../support/machines.ts";
import { memorySource, replayMachines } from "../support/memory-source.ts";

const POLICIES = ["linux-6.1", "linux-6.16"].map((name) => ({
  policy: findPolicy(name),
  alias: null,
}));

/** What a recording cannot tell of whom it is counts for every machine, as lost events do. */
const OF_ALL = new Set(["orphan-descriptors", "pops-without-queue", "idle-devices"]);

/** What a machine's answer is made of, without numbers and places that count over the whole recording. */
function essence(machine: MachineResult, logs: number[][][]) {
  return {
    ...{ pid: machine.pid, window: machine.window, written: machine.written },
    ...{ verdict: machine.verdict, logs },
    policies: machine.policies,
    rounds: machine.rounds.map(({ sync, ...round }) => ({
      ...round,
      sync: sync === null ? null : { number: sync.number, name: sync.name, ns: sync.ns },
    })),
    queues: machine.devices.flatMap(({ driver, vs, dev, queues }) =>
      queues.map((queue) => ({ driver, vs, dev, ...queue })),
    ),
    findings: machine.findings.map(({ policy, cause, pages, requests, runs, rounds, queue }) => ({
      ...{ policy, cause, pages, requests, runs, rounds, queue },
    })),
    limits: machine.limits
      .filter(({ code }) => !OF_ALL.has(code))
      .map(({ code, effect, text }) => [code, effect, text]),
    migrations: machine.migrations.map(({ verdicts }) => verdicts),
  };
}

async function machinesOf(text: string) {
  const logs = new Map<number, number[][][]>();
  const { machines } = await replayMachines([memorySource("trace.txt", text)], {
    policies: POLICIES,
    window: "auto",
    onSync(view) {
      const own = logs.get(view.machine) ?? [];
      own.push(POLICIES.map((_, index) => view.pages(index)));
      logs.set(view.machine, own);
    },
  });
  return machines.map((machine) => essence(machine, logs.get(machine.number) ?? []));
}

const present = (lines: readonly Line[]): number[] =>
  [...new Set(lines.flatMap(({ machine }) => (machine === null ? [] : [machine])))].sort();

describe("machines in one recording", () => {
  test("interleaved each gets what it gets alone: logs, lost, stale, findings, migrations", async () => {
    let several = 0;
    await fc.assert(
      fc.asyncProperty(machineStreams(), async (lines) => {
        const together = await machinesOf(recordingOfLines(lines));
        if (together.length > 1) several++;
        for (const machine of present(lines)) {
          const [alone] = await machinesOf(recordingOfLines(lines, (one) => one === machine));
          const found = together.find(({ pid }) => pid === pidOf(machine));
          // A machine of which only ioctls are recorded is none; and whether probes were set is told
          // by the events of all machines.
          if (alone!.queues.length === 0 || !alone!.verdict) continue;
          expect(found, recordingOfLines(lines)).toEqual(alone);
        }
      }),
      { numRuns: 60 },
    );
    expect(several).toBeGreaterThan(20);
  });

  test("with the processes and addresses of each other they get the same", async () => {
    await fc.assert(
      fc.asyncProperty(machineStreams(), async (lines) => {
        const most = Math.max(0, ...present(lines));
        const turned = (machine: number): number => most - machine;
        const one = await machinesOf(recordingOfLines(lines));
        const other = await machinesOf(recordingOfLines(lines, () => true, turned));
        const nameless = (all: typeof one) =>
          all.map(({ pid, queues, ...rest }) => ({
            ...rest,
            pid: pid === null,
            queues: queues.map((queue) => ({ ...queue, vs: null, dev: null, vq: null })),
          }));
        expect(nameless(other)).toEqual(nameless(one));
      }),
      { numRuns: 20 },
    );
  });
});
